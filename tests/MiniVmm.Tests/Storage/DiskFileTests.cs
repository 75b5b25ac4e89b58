using System.Globalization;
using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Tests.Terminal;
using Tmds.Linux;

namespace MiniVmm.Tests.Storage;

/// <summary>The host's limits.</summary>
public sealed partial class DiskFileTests
{
    private const int RLIMIT_FSIZE = 1;

    [Fact]
    public void A_write_beyond_the_limit_for_files_is_an_error_and_not_the_end_of_the_process()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(path, new byte[4096]);
        Assert.Equal(0, GetLimit(RLIMIT_FSIZE, out Limit before));

        // So high that it is no limit to the tests beside this one.
        Limit lower = before with { Soft = 1UL << 60 };
        Linux.IgnoreFileSizeSignal();
        try
        {
            using var file = DiskFile.Open(path, readOnly: false, DiskCache.WriteBack);
            Assert.Equal(0, SetLimit(RLIMIT_FSIZE, lower));

            Assert.Equal(Errno.EFBIG, file.Write(1UL << 61, "too far"u8));
            Assert.Equal(lower.Soft, ProcessLimit.FileSize);
            Assert.Contains($"ulimit -f {lower.Soft / 1024}", ProcessLimit.Explain(Errno.EFBIG), StringComparison.Ordinal);
        }
        finally
        {
            SetLimit(RLIMIT_FSIZE, before);
            File.Delete(path);
        }
    }

    [Fact]
    public void After_a_flush_that_failed_none_succeeds_any_more()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(path, new byte[4096]);
        using Pipe unflushable = new();
        try
        {
            using var file = DiskFile.Open(path, readOnly: false, DiskCache.WriteBack);
            Assert.Equal(0, file.Flush());
            int fd = int.Parse(
                Path.GetFileName(Directory.GetFiles("/proc/self/fd").First(link => new FileInfo(link).LinkTarget == path)),
                CultureInfo.InvariantCulture);
            int faultless = LibC.dup(fd);
            Assert.Equal(fd, LibC.dup2(unflushable.Writer, fd));
            Assert.Equal(Errno.EINVAL, file.Flush());
            Assert.Equal(fd, LibC.dup2(faultless, fd));
            Assert.Equal(0, LibC.fdatasync(fd));

            // What this one would be about, the first may have said of other pages.
            Assert.Equal(Errno.EINVAL, file.Flush());
            _ = LibC.close(faultless);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limit limit);

    private readonly record struct Limit(ulong Soft, ulong Hard);
}
