using MiniVmm.Configuration;
using MiniVmm.Storage;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class DiskTextTests
{
    [Fact]
    public void A_file_alone_is_a_disk_to_write_through_the_page_cache()
    {
        Assert.Equal(new DiskOptions { File = "disk.img" }, DiskText.Parse("disk.img"));
        Assert.Equal(new DiskOptions { File = "disk.img" }, DiskText.Parse("file=disk.img"));
    }

    [Fact]
    public void Every_option_is_taken()
    {
        DiskOptions expected = new()
        {
            File = "/a/b.qcow2",
            ReadOnly = true,
            Serial = "S 1",
            Cache = DiskCache.None,
            Format = DiskFormat.Qcow2,
            Iops = 100,
            BytesPerSecond = 10 << 20,
        };

        Assert.Equal(
            expected, DiskText.Parse("/a/b.qcow2,ro,serial=S 1,cache=none,format=qcow2,iops=100,bw=10M"));
        Assert.Equal(
            expected, DiskText.Parse("bw=10,iops=100,format=qcow2,cache=none,serial=S 1,ro,file=/a/b.qcow2"));
    }

    [Theory]
    [InlineData("writeback", DiskCache.WriteBack)]
    [InlineData("none", DiskCache.None)]
    [InlineData("unsafe", DiskCache.Unsafe)]
    public void Caches_have_QEMUs_names(string text, DiskCache cache) =>
        Assert.Equal(cache, DiskText.Parse($"x,cache={text}").Cache);

    [Theory]
    [InlineData("a,,b.img", "a,b.img")]
    [InlineData("a,,,,b", "a,,b")]
    [InlineData("a,,", "a,")]
    [InlineData("a=b.img", "a=b.img")]
    [InlineData("ro", "ro")]
    [InlineData("file=ro=1,,2", "ro=1,2")]
    [InlineData("file=x=y,ro", "x=y")]
    public void A_name_may_have_commas_and_equals_signs(string text, string file) =>
        Assert.Equal(file, DiskText.Parse(text).File);

    [Theory]
    [InlineData("", "no file given")]
    [InlineData("file=", "no file given")]
    [InlineData("serial=x", "no file given; put it first")]
    [InlineData("x,", "an empty part; remove a comma")]
    [InlineData("x,ro,ro", "ro is given twice")]
    [InlineData("x,file=y", "file is given twice")]
    [InlineData("x,ro=1", "ro takes no value")]
    [InlineData("x,rw", "unknown key rw; use if, ro,")]
    [InlineData("x,cache=writethrough", "cache=writethrough: use writeback,")]
    [InlineData("x,cache", "cache=: use writeback,")]
    [InlineData("x,format=vmdk", "format=vmdk: only raw and qcow2")]
    [InlineData("x,serial=123456789012345678901", "has 21 characters; at most 20")]
    [InlineData("x,serial=é", "only printable ASCII")]
    [InlineData("x,serial=a\u0001", "only printable ASCII")]
    [InlineData("x,serial=", "serial= has no value")]
    [InlineData("x,iops=0", "iops=0 is not a number")]
    [InlineData("x,iops=-1", "iops=-1 is not a number")]
    [InlineData("x,iops", "iops= is not a number")]
    [InlineData("x,bw=0", "bw=0 would let nothing through")]
    [InlineData("x,bw=fast", "bw fast: not a size")]
    [InlineData("x\0y", "NUL")]
    public void A_mistake_is_one_clear_line(string text, string expected)
    {
        BadInputException error = Assert.Throws<BadInputException>(() => DiskText.Parse(text));

        Assert.StartsWith($"--disk {text}: ", error.OnCommandLine());
        Assert.Contains(expected, error.OnCommandLine());
        Assert.DoesNotContain('\n', error.OnCommandLine());
    }
}
