using System.Runtime.InteropServices;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Host;

/// <summary>System calls and numbers that Tmds.LibC lacks or types too narrowly.</summary>
public static unsafe partial class Linux
{
    /// <summary>madvise: fault the pages in, writable (Linux 5.14; madvise(2)).</summary>
    public const int MADV_POPULATE_WRITE = 23;

    /// <summary>statfs.f_type of a hugetlbfs (linux/magic.h).</summary>
    public const long HUGETLBFS_MAGIC = 0x958458f6;

    /// <summary>The clock that never jumps (time.h).</summary>
    public const int CLOCK_MONOTONIC = 1;

    /// <summary>timerfd_create: close on exec (sys/timerfd.h).</summary>
    public const int TFD_CLOEXEC = 0x80000;

    /// <summary>timerfd_create: reads do not wait.</summary>
    public const int TFD_NONBLOCK = 0x800;

    /// <summary>Waits until a descriptor is ready for <paramref name="events"/>, or broken; false after so long.</summary>
    /// <param name="fd">What poll(2) takes; a signal on the way does not shorten the wait.</param>
    /// <param name="events">POLLIN, POLLOUT.</param>
    /// <param name="atMost">Up to 24 days; 0 looks only.</param>
    public static bool Wait(int fd, short events, TimeSpan atMost)
    {
        long end = Environment.TickCount64 + (long)atMost.TotalMilliseconds;
        while (true)
        {
            pollfd ready = new() { fd = fd, events = events };
            int count = poll(&ready, 1, (int)Math.Max(0, end - Environment.TickCount64));
            if (count >= 0 || errno != EINTR)
                return count > 0;
        }
    }

    /// <summary>
    /// ioctl(2) with the request as unsigned as it is: KVM's have bit 31 set. The error is in
    /// <see cref="Marshal.GetLastPInvokeError"/>.
    /// </summary>
    /// <returns>-1 on an error, else what the request says.</returns>
    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Ioctl(int fd, nuint request, nuint argument);

    /// <summary>The kernel's id of the calling thread: what <see cref="TgKill"/> takes.</summary>
    public static int GetTid() => ThreadId();

    /// <summary>Sends a signal to one thread (tgkill(2), glibc 2.30).</summary>
    /// <param name="processId">Thread group, as in <see cref="Environment.ProcessId"/>.</param>
    /// <param name="threadId">From <see cref="GetTid"/> on that thread.</param>
    /// <param name="signal">Not one that the runtime handles, such as 34.</param>
    /// <returns>0, or -1 with the error in <see cref="Marshal.GetLastPInvokeError"/>.</returns>
    [LibraryImport("libc", EntryPoint = "tgkill", SetLastError = true)]
    public static partial int TgKill(int processId, int threadId, int signal);

    /// <summary>Random bytes from the kernel's generator (getrandom(2), glibc 2.25).</summary>
    /// <returns>How many it gave; -1 with the error in <see cref="Marshal.GetLastPInvokeError"/>.</returns>
    [LibraryImport("libc", EntryPoint = "getrandom", SetLastError = true)]
    public static partial nint GetRandom(byte* buffer, nuint length, uint flags);

    /// <summary>A timer behind a file descriptor (timerfd_create(2)).</summary>
    /// <returns>The descriptor, or -1 with the error in <see cref="Marshal.GetLastPInvokeError"/>.</returns>
    [LibraryImport("libc", EntryPoint = "timerfd_create", SetLastError = true)]
    public static partial int TimerFdCreate(int clock, int flags);

    /// <summary>Has such a timer expire once, after so many nanoseconds; 0 stops it (timerfd_settime(2)).</summary>
    /// <exception cref="SystemCallException">Not such a timer.</exception>
    public static void TimerFdSetTime(int fd, long nanoseconds)
    {
        itimerspec_x86_64 wanted = default;
        wanted.it_value_sec = nanoseconds / 1_000_000_000;
        wanted.it_value_nsec = nanoseconds % 1_000_000_000;
        if (TimerFdSetTime(fd, 0, &wanted, null) != 0)
            throw new SystemCallException("timerfd_settime", Marshal.GetLastPInvokeError());
    }

    /// <summary>flock: shared, exclusive, do not wait, give up (sys/file.h).</summary>
    public const int LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8;

    /// <summary>Locks an open file or directory as a whole (flock(2)).</summary>
    /// <returns>0, or -1 with the error in <see cref="Marshal.GetLastPInvokeError"/>.</returns>
    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int FLock(int fd, int operation);

    /// <summary>What file system a path is on (statfs(2)).</summary>
    /// <param name="path">Any file or directory there.</param>
    /// <param name="type">Its magic number, as in <see cref="HUGETLBFS_MAGIC"/>.</param>
    /// <param name="blockSize">In bytes; of a hugetlbfs it is the size of its pages.</param>
    /// <returns>0, or the errno.</returns>
    public static int StatFs(string path, out long type, out long blockSize)
    {
        statfs_x86_64 buffer = default;
        int result = StatFs(path, &buffer);
        type = buffer.f_type;
        blockSize = buffer.f_bsize;
        return result == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>
    /// Makes a write beyond RLIMIT_FSIZE fail with EFBIG, where SIGXFSZ would kill the process silently (setrlimit(2)).
    /// </summary>
    public static void IgnoreFileSizeSignal() => _ = Signal(SIGXFSZ, SIG_IGN);

    /// <summary>Becomes another program; returns only where that fails, with the errno.</summary>
    /// <param name="path">The program's file.</param>
    /// <param name="arguments">Its arguments, from its own name on.</param>
    public static int Execute(string path, IEnumerable<string> arguments)
    {
        _ = ExecV(path, [.. arguments, null]);
        return Marshal.GetLastPInvokeError();
    }

    [LibraryImport("libc", EntryPoint = "execv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ExecV(string path, string?[] arguments);

    private const int SIGXFSZ = 25;
    private const nint SIG_IGN = 1;

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint Signal(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int ThreadId();

    [LibraryImport("libc", EntryPoint = "statfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatFs(string path, statfs_x86_64* result);

    [LibraryImport("libc", EntryPoint = "timerfd_settime", SetLastError = true)]
    private static partial int TimerFdSetTime(int fd, int flags, itimerspec_x86_64* wanted, itimerspec_x86_64* old);

    [StructLayout(LayoutKind.Sequential)]
    private struct itimerspec_x86_64
    {
        public long it_interval_sec;
        public long it_interval_nsec;
        public long it_value_sec;
        public long it_value_nsec;
    }

    // Only what is read is named; glibc's structure has 120 bytes.
    [StructLayout(LayoutKind.Sequential, Size = 120)]
    private struct statfs_x86_64
    {
        public long f_type;
        public long f_bsize;
    }
}
