using System.Globalization;

namespace MiniVmm.Storage;

/// <summary>
/// Who holds a lock on a file. The kernel does not report it for open file description locks, but the descriptors of
/// each process do (proc(5), /proc/PID/fdinfo), for the processes that may be inspected.
/// </summary>
internal static class LockOwner
{
    /// <summary>"qemu-system-x86 (process 1234)"; null where nobody is found.</summary>
    /// <param name="fd">The file, open in this process.</param>
    public static string? Find(int fd)
    {
        string own = $"/proc/{Environment.ProcessId}/fd/{fd}";
        string? path = Target(own);
        if (path == null)
            return null;
        foreach (string process in List("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process), NumberStyles.None, null, out int id))
                continue;
            foreach (string other in List($"{process}/fd"))
            {
                if (other == own || Target(other) != path || !Locks($"{process}/fdinfo/{Path.GetFileName(other)}"))
                    continue;
                return id == Environment.ProcessId
                    ? "this process, for another disk"
                    : $"{Read($"{process}/comm").Trim()} (process {id})";
            }
        }

        return null;
    }

    private static bool Locks(string descriptor) => Read(descriptor).Contains("lock:", StringComparison.Ordinal);

    // A process may end, or turn out to be another user's, at any step: it is skipped then.
    private static string[] List(string directory) =>
        Try(() => Directory.GetFileSystemEntries(directory)) ?? [];

    private static string? Target(string link) => Try(() => new FileInfo(link).LinkTarget);

    private static string Read(string path) => Try(() => File.ReadAllText(path)) ?? "";

    private static T? Try<T>(Func<T?> look)
        where T : class
    {
        try
        {
            return look();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
