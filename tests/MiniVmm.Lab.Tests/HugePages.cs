using System.Diagnostics;
using System.Globalization;

namespace MiniVmm.Lab.Tests;

/// <summary>The lab's 2 MiB pages, which <c>tests/lab/run-tests</c> has set aside.</summary>
public static class HugePages
{
    public const string MountPoint = "/dev/hugepages";

    /// <summary>HugePages_Free of /proc/meminfo, less those promised to a mapping but not touched yet.</summary>
    public static int Free => Count("HugePages_Free") - Count("HugePages_Rsvd");

    /// <summary>Waits until as many are free: a process's memory may go a moment after it.</summary>
    public static async Task AssertFreeSoonAsync(int expected)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (Free != expected && waited.Elapsed < TimeSpan.FromSeconds(10))
        {
            await Task.Delay(20);
        }

        Assert.Equal(expected, Free);
    }

    public static void AssertNoFiles() => Assert.Empty(Directory.EnumerateFileSystemEntries(MountPoint));

    private static int Count(string name) =>
        int.Parse(
            File.ReadLines("/proc/meminfo").Single(line => line.StartsWith(name + ":", StringComparison.Ordinal))
                .Split(':')[1],
            CultureInfo.InvariantCulture);
}
