using static Tmds.Linux.LibC;

namespace MiniVmm.Host;

/// <summary>How many files this process may have open (RLIMIT_NOFILE), and what a guest may take of them.</summary>
public static class FileLimit
{
    /// <summary>Files that no guest gets, where there are enough: those of an orderly end, of whoever controls the machine.</summary>
    private const int Reserved = 128;

    private const int SC_OPEN_MAX = 4; // _SC_OPEN_MAX of unistd.h: the soft limit

    /// <summary>
    /// The lowest descriptor that is kept for others. The kernel gives the lowest one that is free, so a guest that gets one
    /// at or above it has used up its share.
    /// </summary>
    /// <param name="used">A descriptor that was opened just now: those below are in use.</param>
    public static int FirstReserved(int used)
    {
        long files = (long)sysconf(SC_OPEN_MAX) is > 0 and var limit ? limit : int.MaxValue;
        long kept = Math.Min(Reserved, Math.Max(0, files - used) / 2);
        return (int)Math.Min(files - kept, int.MaxValue);
    }
}
