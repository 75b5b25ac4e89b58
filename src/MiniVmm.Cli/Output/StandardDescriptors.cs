using System.Runtime.InteropServices;
using MiniVmm.Host;
using static Tmds.Linux.LibC;

namespace MiniVmm.Cli.Output;

/// <summary>
/// Descriptors 0, 1 and 2 as whoever started MiniVmm meant them. One that was closed (<c>&lt;&amp;-</c>) has been given
/// to a file of the runtime's by the time Main runs: descriptor 0 is /dev/urandom then, and would be the guest's keys.
/// </summary>
internal static unsafe partial class StandardDescriptors
{
    /// <summary>
    /// Puts /dev/null where one was closed, and starts MiniVmm anew, so that the runtime opens its files elsewhere.
    /// Returns at once where none was.
    /// </summary>
    /// <exception cref="HostLimitException">That cannot be done.</exception>
    public static void Complete()
    {
        if (IsInherited(0) && IsInherited(1) && IsInherited(2))
            return;
        for (int fd = 0; fd <= 2; fd++)
        {
            if (!IsInherited(fd))
                OpenNull(fd);
        }

        Restart();
    }

    /// <summary>What exec passes on has no FD_CLOEXEC; all that the runtime opens has it (fcntl(2)).</summary>
    private static bool IsInherited(int fd) => fcntl(fd, F_GETFD) is >= 0 and var flags && (flags & FD_CLOEXEC) == 0;

    private static void OpenNull(int fd)
    {
        ReadOnlySpan<byte> path = "/dev/null\0"u8;
        fixed (byte* name = path)
        {
            int opened = open(name, O_RDWR | O_CLOEXEC);
            if (opened < 0)
                throw new HostLimitException($"/dev/null, for the closed descriptor {fd}: {Errno.Explain(errno)}");

            // The lowest free number may be the very one. dup2 leaves FD_CLOEXEC off.
            int result = opened == fd ? fcntl(fd, F_SETFD, 0) : dup2(opened, fd);
            if (result < 0)
                throw new HostLimitException($"/dev/null as descriptor {fd}: {Errno.Explain(errno)}");
            if (opened != fd)
                _ = close(opened);
        }
    }

    private static void Restart()
    {
        byte[] words = File.ReadAllBytes("/proc/self/cmdline"); // each ends with a zero byte
        fixed (byte* text = words)
        fixed (byte* program = "/proc/self/exe\0"u8)
        {
            List<nint> arguments = [];
            for (int at = 0; at < words.Length; at += words.AsSpan(at).IndexOf((byte)0) + 1)
                arguments.Add((nint)(text + at));
            arguments.Add(0);
            fixed (nint* list = CollectionsMarshal.AsSpan(arguments))
                _ = Execute(program, list);
        }

        int error = Marshal.GetLastPInvokeError();
        throw new HostLimitException($"starting anew with the closed descriptors open: {Errno.Explain(error)}");
    }

    /// <summary>execv(3): replaces the process by the program, with the same environment.</summary>
    [LibraryImport("libc", EntryPoint = "execv", SetLastError = true)]
    private static partial int Execute(byte* path, nint* arguments);
}
