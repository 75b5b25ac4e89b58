using System.Text;
using MiniVmm.Host;

namespace MiniVmm.Tests.Measurement;

public sealed class HostFilesTests
{
    [Fact]
    public void Without_a_root_it_reads_this_host() =>
        Assert.Equal(
            File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
            new HostFiles().ReadLine("/proc/sys/kernel/osrelease"));

    [Fact]
    public void A_file_of_proc_that_claims_to_be_empty_is_read_whole() =>
        Assert.Equal(File.ReadAllText("/proc/version"), new HostFiles().ReadAllText("/proc/version"));

    [Fact]
    public void A_file_that_is_not_there_is_null()
    {
        using HostTree tree = HostTree.Empty;

        Assert.Null(tree.Files.ReadAllText("/proc/cpuinfo"));
        Assert.Null(tree.Files.ReadLine("/proc/cpuinfo"));
        Assert.Null(tree.Files.ReadFact("/proc/cpuinfo"));
        Assert.Null(tree.Files.ReadSwitch("/proc/cpuinfo"));
        Assert.Null(tree.Files.List("/proc"));
    }

    [Theory]
    [InlineData("/folder")]
    [InlineData("/folder/file/below")]
    [InlineData("/with\0nul")]
    [InlineData("")]
    public void What_is_no_file_is_null(string path)
    {
        using HostTree tree = HostTree.Empty.Add("/folder/file", "text");

        Assert.Null(tree.Files.ReadAllText(path));
        Assert.Null(tree.Files.ReadLine(path));
    }

    [Fact]
    public void A_line_longer_than_any_path_is_no_path() =>
        Assert.Null(new HostFiles().ReadLine("/" + new string('a', 100_000)));

    [Theory]
    [InlineData("", "")]
    [InlineData("\n", "")]
    [InlineData("one", "one")]
    [InlineData(" one \r\ntwo\n", "one")]
    [InlineData("a\tb", "a b")]
    [InlineData("\u001b[31mred\u202e\u2028", "\ufffd[31mred\ufffd\ufffd")]
    [InlineData("caf\u00e9 \U0001f600\0\0", "caf\u00e9 \U0001f600")]
    public void A_line_is_the_first_and_can_be_shown(string text, string line)
    {
        using HostTree tree = HostTree.Empty.Add("/file", text);

        Assert.Equal(line, tree.Files.ReadLine("/file"));
        Assert.Equal(line.Length > 0 ? line : null, tree.Files.ReadFact("/file"));
    }

    [Fact]
    public void Bytes_that_are_no_text_become_replacement_characters()
    {
        using HostTree tree = HostTree.Empty.Add("/file", [0x41, 0xff, 0xed, 0xa0, 0x80, 0x42]);

        string? line = tree.Files.ReadLine("/file");

        Assert.NotNull(line);
        Assert.StartsWith("A\ufffd", line, StringComparison.Ordinal);
        Assert.EndsWith("\ufffdB", line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_line_is_cut_between_characters()
    {
        using HostTree tree = HostTree.Empty
            .Add("/fits", new string('x', 512))
            .Add("/long", string.Concat(Enumerable.Repeat("\U0001f600", 513)));

        Assert.Equal(new string('x', 512), tree.Files.ReadLine("/fits"));
        Assert.Equal(string.Concat(Enumerable.Repeat("\U0001f600", 512)) + "…", tree.Files.ReadLine("/long"));
    }

    [Fact]
    public void A_long_file_is_read_up_to_the_limit()
    {
        byte[] content = new byte[HostFiles.MaxFileBytes + 5];
        content.AsSpan().Fill((byte)'x');
        using HostTree tree = HostTree.Empty.Add("/file", content);

        Assert.Equal(HostFiles.MaxFileBytes, tree.Files.ReadAllText("/file")?.Length);
    }

    [Theory]
    [InlineData("0", false)]
    [InlineData("1\n", true)]
    [InlineData("N", false)]
    [InlineData("Y", true)]
    [InlineData("", null)]
    [InlineData("2", null)]
    [InlineData("never", null)]
    public void A_switch_is_0_or_1_or_N_or_Y(string text, bool? expected)
    {
        using HostTree tree = HostTree.Empty.Add("/file", text);

        Assert.Equal(expected, tree.Files.ReadSwitch("/file"));
    }

    [Fact]
    public void A_folder_lists_files_and_folders_in_order_without_names_that_cannot_be_shown()
    {
        using HostTree tree = HostTree.Empty
            .Add("/sys/module/b/c", "")
            .Add("/sys/module/a", "")
            .Add("/sys/module/B", "")
            .Add("/sys/module/new\nline", "");

        Assert.Equal(["B", "a", "b"], tree.Files.List("/sys/module")!);
    }

    [Fact]
    public void A_file_cannot_be_listed()
    {
        using HostTree tree = HostTree.Empty.Add("/file", Encoding.ASCII.GetBytes("text"));

        Assert.Null(tree.Files.List("/file"));
    }
}
