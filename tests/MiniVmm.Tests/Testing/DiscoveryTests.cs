using MiniVmm.Boot;
using MiniVmm.Testing;
using MiniVmm.Tests.Boot;

namespace MiniVmm.Tests.Testing;

public sealed class DiscoveryTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_s_kernels_are_found_by_what_is_in_them_at_any_depth()
    {
        _folder.WithKernels("b.elf", "a", "inner/deep/c.elf", ".git/d.elf")
            .With("flat.img", MultibootFiles.Flat())
            .With("README.md", "# not a kernel\n")
            .With("start.o", new ElfBuilder(false) { Type = 1 }.With(0x100000, [0xf4]).Build())
            .With("arm.elf", new ElfBuilder(true) { Machine = 183 }.With(0x100000, [0xf4]).Build())
            .With("empty", "");

        DiscoveredTests found = Find(_folder.Path);

        Assert.Equal(["a", "b.elf", "flat.img", "inner/deep/c.elf"], found.Tests.Select(Name));
        Assert.Equal(4, found.OtherFiles);
        Assert.All(found.Tests, test => Assert.Equal(test.Name, test.Machine.Kernel));
    }

    [Fact]
    public void A_program_for_an_operating_system_is_no_kernel()
    {
        _folder.With("program", new ElfBuilder(true).With(0x400000, [0xf4])
            .With(new ElfBuilder.Segment(3, 0x400100, 0x400100, "/lib64/ld-linux-x86-64.so.2\0"u8.ToArray(), 28)).Build());
        File.Copy("/bin/true", _folder["true"]);

        Assert.Empty(Find(_folder.Path).Tests);
    }

    [Fact]
    public void A_kernel_cut_short_is_a_test_all_the_same()
    {
        _folder.With("cut.elf", MultibootFiles.Elf(is64: true).Build().AsSpan(0, 100));

        Assert.Equal("cut.elf", Name(Assert.Single(Find(_folder.Path).Tests)));
    }

    [Fact]
    public void A_compressed_file_is_told_by_what_is_in_it()
    {
        _folder.With("kernel.gz", Gzip(MultibootFiles.Elf().Build())).With("initrd.gz", Gzip("070701 and so on"u8)).With("broken.gz", [0x1f, 0x8b, 8, 1, 2, 3]);

        Assert.Equal(["kernel.gz"], Find(_folder.Path).Tests.Select(Name));
    }

    [Fact]
    public void What_is_named_is_a_test_whatever_it_is()
    {
        _folder.With("README.md", "# not a kernel\n");

        Assert.Equal("README.md", Name(Assert.Single(Find(_folder["README.md"]).Tests)));
        Assert.Contains("no such file or folder", Assert.Throws<BadInputException>(() => Find(_folder["lost.elf"])).Message, StringComparison.Ordinal);
        Assert.Contains("a path is empty", Assert.Throws<BadInputException>(() => Find("")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_image_that_is_named_twice_is_one_test()
    {
        _folder.WithKernels("a.elf");

        Assert.Single(Find(_folder.Path, _folder["a.elf"], _folder.Path + "/").Tests);
    }

    [Fact]
    public void A_comment_beside_an_image_says_what_is_expected()
    {
        _folder.WithKernels("a.elf", "b.elf")
            .With("a.elf.test", "# the first\nexpect: one\nexpect : two: three \r\n\nexit: 33\ntimeout: 2.5\nsmp: 2\nappend: x: y\ninitrd: ram.img words")
            .With("b.test", "skip: needs a floppy drive\nxfail: bug 7\nmay-skip: on\nallow: panic: x\nuntil: login:\n")
            .With("ram.img", "x");

        IReadOnlyList<TestCase> tests = Find(_folder.Path).Tests;

        Assert.Equal(2, tests.Count);
        Assert.Equal(["one", "two: three"], tests[0].Expected.Texts);
        Assert.Equal((33, TimeSpan.FromSeconds(2.5)), (tests[0].Expected.Exit, tests[0].Timeout));
        Assert.Equal((2, "x: y"), (tests[0].Machine.Topology.Count, tests[0].Machine.CommandLine));
        Assert.Equal(new BootFile(_folder["ram.img"], "words"), Assert.Single(tests[0].Machine.Initrds));
        Assert.Equal("needs a floppy drive", tests[1].SkipReason);
        Assert.Equal(("bug 7", true, "login:"), (tests[1].Expected.KnownFailure, tests[1].Expected.MaySkip, tests[1].Expected.Until));
        Assert.Equal(["panic: x"], tests[1].Expected.Allowed);
    }

    [Fact]
    public void A_comment_makes_a_test_of_a_file_that_does_not_look_like_a_kernel()
    {
        _folder.With("flat.bin", [0xf4]).With("flat.test", "format: flat32\n");

        Assert.Equal(BinaryFormat.Flat32, Assert.Single(Find(_folder.Path).Tests).Machine.Format);
    }

    [Fact]
    public void A_comment_without_an_image_is_a_test_that_fails()
    {
        _folder.WithKernels("a.elf").With("lost.test", "expect: ok\n");

        TestCase lost = Find(_folder.Path).Tests[1];
        Assert.Equal(("lost.test", "there is no image beside it that it is about"), (Name(lost), lost.Problem));
    }

    [Theory]
    [InlineData("expect", ":1: write a key, a colon and a value")]
    [InlineData("# fine\nexpekt: x", ":2: 'expekt' is no key of a test; did you mean 'expect'?")]
    [InlineData("expect:", ":1: expect: the text is empty")]
    [InlineData("exit: 2", ":1: exit 2: not an exit status of a guest's")]
    [InlineData("exit: 257", ":1: exit 257: not an exit status")]
    [InlineData("timeout: 0", ":1: timeout 0: not a number of seconds")]
    [InlineData("smp: 3,cores=2", ":1: Smp 3,cores=2: ")]
    [InlineData("console: none", ":1: 'console' is no key of a test")]
    [InlineData("com2: pty", ":1: com2 pty: name a file, or none")]
    [InlineData("com2: tcp::5000,server", ":1: com2 tcp::5000,server: name a file, or none")]
    [InlineData("debugcon: stdio", ":1: debugcon stdio: name a file, or none")]
    [InlineData("debugcon: stderr", ":1: debugcon stderr: name a file, or none")]
    [InlineData("skip:", ":1: skip: needs a reason")]
    [InlineData("may-skip: perhaps", ":1: may-skip perhaps: use on or off")]
    public void A_comment_that_is_wrong_is_an_error_with_its_line(string text, string message)
    {
        _folder.WithKernels("a.elf").With("a.test", text);

        Assert.Contains(_folder["a.test"] + message, Assert.Throws<BadInputException>(() => Find(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_manifest_names_tests_and_the_folder_s_other_kernels_are_tests_too()
    {
        _folder.WithKernels("a.elf", "b.elf", "c.elf").With("root.img", [0xeb, .. new byte[509], 0x55, 0xaa]).With("minivmm-tests.json", """
            {
              // for all of the folder
              "defaults": { "timeout": 10, "mem": "64M", "expect": "ok" },
              "tests": [
                { "image": "a.elf", "name": "a-1" },
                { "image": "a.elf", "name": "a-2", "smp": 2, "expect": ["one", "two"], "disk": "root.img,ro", "rng": true },
                { "image": "b.elf", "skip": "later" },
                { "image": "lost.elf" },
              ]
            }
            """);

        DiscoveredTests found = Find(_folder.Path);

        Assert.Equal(["a-1", "a-2", "b.elf", "c.elf", "lost.elf"], found.Tests.Select(Name));
        Assert.Equal(_folder["a.elf"], found.Tests[0].Machine.Kernel);
        Assert.All(found.Tests, test => Assert.Equal(TimeSpan.FromSeconds(10), test.Timeout));
        Assert.Equal(["ok"], found.Tests[3].Expected.Texts);
        Assert.Equal(["one", "two"], found.Tests[1].Expected.Texts);
        Assert.Equal((2, true), (found.Tests[1].Machine.Topology.Count, found.Tests[1].Machine.Rng));
        Assert.Equal(_folder["root.img"], Assert.Single(found.Tests[1].Machine.Disks).File);
        Assert.Equal($"{_folder["lost.elf"]}: no such file", found.Tests[4].Problem);
        Assert.Equal(1, found.OtherFiles);
    }

    [Fact]
    public void A_comment_beside_an_image_of_the_manifest_is_not_passed_over()
    {
        _folder.WithKernels("a.elf").With("a.test", "expect: x").With("minivmm-tests.json", """{"tests": [{"image": "a.elf"}]}""");

        Assert.Contains(
            "a.test: " + _folder["minivmm-tests.json"] + " says what is expected of a.elf; say all of it there",
            Assert.Throws<BadInputException>(() => Find(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_manifest_that_is_named_is_its_tests_alone()
    {
        _folder.WithKernels("a.elf", "b.elf").With("minivmm-tests.json", """{"tests": [{"image": "a.elf"}]}""");

        Assert.Equal(["a.elf"], Find(_folder["minivmm-tests.json"]).Tests.Select(Name));
    }

    [Fact]
    public void The_command_line_s_defaults_are_for_those_that_say_nothing_else()
    {
        _folder.WithKernels("a.elf", "b.elf").With("b.test", "timeout: 3\nexpect: b");

        IReadOnlyList<TestCase> tests = Discovery.Find(
            [_folder.Path],
            new() { Name = "", Timeout = TimeSpan.FromSeconds(7), Expected = new() { Texts = ["x"] }, Machine = new() { CommandLine = "quiet" } }).Tests;

        Assert.Equal((TimeSpan.FromSeconds(7), "x", "quiet"), (tests[0].Timeout, tests[0].Expected.Texts[0], tests[0].Machine.CommandLine));
        Assert.Equal((TimeSpan.FromSeconds(3), "b", "quiet"), (tests[1].Timeout, Assert.Single(tests[1].Expected.Texts), tests[1].Machine.CommandLine));
    }

    private static DiscoveredTests Find(params string[] paths) => Discovery.Find(paths, new() { Name = "" });

    private string Name(TestCase test) => Path.GetRelativePath(_folder.Path, test.Name);

    private static byte[] Gzip(ReadOnlySpan<byte> content)
    {
        using MemoryStream packed = new();
        using (System.IO.Compression.GZipStream stream = new(packed, System.IO.Compression.CompressionLevel.Fastest))
            stream.Write(content);
        return packed.ToArray();
    }
}
