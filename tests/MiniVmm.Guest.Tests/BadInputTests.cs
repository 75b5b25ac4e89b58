using System.Text;

namespace MiniVmm.Guest.Tests;

/// <summary>What a user got wrong is told in one line that names it, with status 2, before any KVM is asked.</summary>
public sealed class BadInputTests
{
    private static readonly string Hello = Built.Guest("hello.elf");

    [Theory]
    [InlineData("--smp", "0", "--smp 0")]
    [InlineData("--smp", "x", "--smp x")]
    [InlineData("--smp", "4,cores=3", "4 / 3")]
    [InlineData("--smp", "2,maxcpus=1", "maxcpus")]
    [InlineData("--smp", "2,wheels=4", "wheels")]
    [InlineData("--mem", "0", "at least 2 MiB")]
    [InlineData("--mem", "1M", "at least 2 MiB")]
    [InlineData("--mem", "abc", "--mem abc")]
    [InlineData("--mem", "-5", "--mem -5")]
    [InlineData("--mem", "99999999999999999999", "--mem 99999999999999999999")]
    [InlineData("--mem-path", "/nonexistent", "--mem-path /nonexistent")]
    [InlineData("--timeout", "-1", "--timeout -1")]
    [InlineData("--timeout", "0", "--timeout 0")]
    [InlineData("--timeout", "soon", "--timeout soon")]
    [InlineData("--pin", "0,1", "--pin 0,1")]
    [InlineData("--pin", "x", "--pin x")]
    [InlineData("--cpu", "nosuch", "--cpu nosuch")]
    [InlineData("--cpu", "host,+nosuch", "'nosuch'")]
    [InlineData("--cpu", "host,+avx5", "did you mean avx?")]
    [InlineData("--initrd", "/nonexistent", "/nonexistent")]
    [InlineData("--decompress", "never", "--decompress never")]
    public async Task An_option_with_a_bad_value(string option, string value, string expected)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", option, value, Hello);

        Assert.Contains(expected, run.With(ExitStatus.BadInput).OnlyLine());
    }

    [Theory]
    [InlineData("--net", "user\nfoo", @"--net user\nfoo: ")]
    [InlineData("--net", "user,hostname=\r\n", @"hostname=\r\n is not a host name")]
    [InlineData("--disk", "no\nfile", @"--disk no\nfile: no such file")]
    [InlineData("--name", "a\nb", @"--name a\nb: not a valid name")]
    [InlineData("--mem", "1\n2", @"--mem 1\n2: not a size")]
    [InlineData("--kernel", "\u001b[2J", @"\x1b[2J")]
    [InlineData("--no\nsuch", "1", @"--no\nsuch")]
    public async Task A_line_break_in_an_argument_breaks_no_line(string option, string value, string expected)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", option, value, Hello);

        Assert.Contains(expected, run.With(ExitStatus.BadInput).OnlyLine());
    }

    [Fact]
    public async Task Fewer_host_CPUs_in_pin_than_vCPUs()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--smp", "2", "--pin", "0", Hello);

        Assert.StartsWith("--pin 0: names 1 host CPU for 2 vCPUs", run.With(ExitStatus.BadInput).OnlyLine());
    }

    [Theory]
    [InlineData("no kernel", "run")]
    [InlineData("two kernels", "run", "a", "--kernel", "b")]
    [InlineData("--nosuch", "run", "--nosuch")]
    [InlineData("--nosuch", "run", "--nosuch", "kernel")]
    [InlineData("--nosuch", "run", "kernel", "--nosuch")]
    [InlineData("--nosuch", "--nosuch")]
    [InlineData("-z", "run", "kernel", "-z")]
    [InlineData("surplus", "run", "kernel", "surplus")]
    [InlineData("--smp", "run", "kernel", "--smp")]
    [InlineData("--mem", "run", "kernel", "--mem", "1G", "--mem", "2G")]
    [InlineData("nosuchcommand", "nosuchcommand")]
    [InlineData("--help")]
    public async Task A_command_line_that_makes_no_sense(string expected, params string[] arguments)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(arguments);

        Assert.Contains(expected, run.With(ExitStatus.BadInput).OnlyLine());
    }

    [Theory]
    [InlineData("/dev/null", "not a regular file")]
    [InlineData("/", "directory")]
    [InlineData("/nonexistent/kernel", "no such file")]
    public async Task A_kernel_that_is_no_file(string path, string expected)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--kernel", path);

        string line = run.With(ExitStatus.BadInput).OnlyLine();
        Assert.Contains(path + ":", line);
        Assert.Contains(expected, line);
    }

    [Fact]
    public async Task An_empty_kernel()
    {
        using TemporaryFolder folder = new();

        await AssertRefusedAsync(folder.Write("empty", []), "empty");
    }

    [Fact]
    public async Task A_text_as_the_kernel_and_the_line_lists_what_was_tried()
    {
        using TemporaryFolder folder = new();
        string text = folder.Write("text", Encoding.UTF8.GetBytes("Not a kernel.\n"));

        await AssertRefusedAsync(text, "bzImage", "multiboot", "ELF");
    }

    [Theory]
    [InlineData("hello.elf", 60)]
    [InlineData("hello.elf", 200)]
    [InlineData("hello.elf", 5000)]
    [InlineData("hello64.elf", 5000)]
    [InlineData("hello-pvh.elf", 5000)]
    [InlineData("hello.bin", 5000)]
    public async Task A_kernel_cut_short(string kernel, int length)
    {
        using TemporaryFolder folder = new();
        byte[] whole = await File.ReadAllBytesAsync(Built.Guest(kernel));

        await AssertRefusedAsync(folder.Write("short", whole.AsSpan(0, length)));
    }

    [Fact]
    public async Task A_kernel_larger_than_the_memory()
    {
        using TemporaryFolder folder = new();
        string module = folder.Write("module", new byte[4 << 20]);

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--mem", "2M", "--initrd", module, Hello);

        Assert.Contains("--mem", run.With(ExitStatus.BadInput).OnlyLine());
    }

    private static async Task AssertRefusedAsync(string kernel, params string[] expected)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", kernel);

        string line = run.With(ExitStatus.BadInput).OnlyLine();
        Assert.Contains(kernel + ":", line);
        Assert.All(expected, word => Assert.Contains(word, line));
    }
}
