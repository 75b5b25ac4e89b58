using System.Globalization;

namespace MiniVmm.Host;

/// <summary>This process' resource limits (setrlimit(2)), as errors name them.</summary>
public static class ProcessLimit
{
    /// <summary>Bytes that a file may grow to (ulimit -f); null for no limit.</summary>
    public static ulong? FileSize => Find("Max file size");

    /// <summary>Bytes of addresses that may be mapped (ulimit -v); null for no limit.</summary>
    public static ulong? AddressSpace => Find("Max address space");

    /// <summary>Bytes of memory that may be locked (ulimit -l); null for no limit.</summary>
    public static ulong? LockedMemory => Find("Max locked memory");

    /// <summary><see cref="Errno.Explain"/>, with the limit that made a file too large.</summary>
    public static string Explain(int errno) => errno == Errno.EFBIG && FileSize is { } limit
        ? $"{Errno.Explain(errno)}: files may have {limit} bytes here; raise the limit (ulimit -f {limit / 1024})"
        : Errno.Explain(errno);

    /// <summary>A soft limit in the text of /proc/PID/limits; null where it is unlimited or not there.</summary>
    internal static ulong? Parse(string limits, string name)
    {
        foreach (string line in limits.Split('\n'))
        {
            if (!line.StartsWith(name, StringComparison.Ordinal))
                continue;
            string[] values = line[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return values.Length > 0 && ulong.TryParse(values[0], CultureInfo.InvariantCulture, out ulong soft) ? soft : null;
        }

        return null;
    }

    private static ulong? Find(string name)
    {
        try
        {
            return Parse(File.ReadAllText("/proc/self/limits"), name);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
