namespace MiniVmm.Host;

/// <summary>Linux' error numbers on x86-64 that KVM and the calls around it give (errno(3)).</summary>
public static class Errno
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int ENXIO = 6;
    public const int E2BIG = 7;
    public const int EBADF = 9;
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EACCES = 13;
    public const int EFAULT = 14;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int ENODEV = 19;
    public const int ENOTDIR = 20;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int ENFILE = 23;
    public const int EMFILE = 24;
    public const int ENOTTY = 25;
    public const int EFBIG = 27;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int EPIPE = 32;
    public const int ENAMETOOLONG = 36;
    public const int ENOSYS = 38;
    public const int ELOOP = 40;
    public const int EPROTO = 71;
    public const int EOPNOTSUPP = 95;
    public const int EADDRINUSE = 98;
    public const int EADDRNOTAVAIL = 99;
    public const int ENETUNREACH = 101;
    public const int ECONNREFUSED = 111;
    public const int EHOSTUNREACH = 113;

    /// <summary>"EACCES" for 13; "errno 200" for a number that is not in this list.</summary>
    public static string Name(int errno) => Known(errno).Name ?? $"errno {errno}";

    /// <summary>"permission denied" for 13; "error" for a number that is not in this list.</summary>
    public static string Describe(int errno) => Known(errno).Text ?? "error";

    /// <summary>Both, as errors print them: "permission denied (EACCES)".</summary>
    public static string Explain(int errno) => $"{Describe(errno)} ({Name(errno)})";

    private static (string? Name, string? Text) Known(int errno) => errno switch
    {
        EPERM => (nameof(EPERM), "operation not permitted"),
        ENOENT => (nameof(ENOENT), "no such file"),
        EINTR => (nameof(EINTR), "interrupted"),
        EIO => (nameof(EIO), "input/output error"),
        ENXIO => (nameof(ENXIO), "no such device or address"),
        E2BIG => (nameof(E2BIG), "list too long"),
        EBADF => (nameof(EBADF), "bad file descriptor"),
        EAGAIN => (nameof(EAGAIN), "try again"),
        ENOMEM => (nameof(ENOMEM), "out of memory"),
        EACCES => (nameof(EACCES), "permission denied"),
        EFAULT => (nameof(EFAULT), "bad address"),
        EBUSY => (nameof(EBUSY), "device or resource busy"),
        EEXIST => (nameof(EEXIST), "exists already"),
        ENODEV => (nameof(ENODEV), "no such device"),
        ENOTDIR => (nameof(ENOTDIR), "not a directory"),
        EISDIR => (nameof(EISDIR), "is a directory"),
        EINVAL => (nameof(EINVAL), "invalid argument"),
        ENFILE => (nameof(ENFILE), "too many open files in the system"),
        EMFILE => (nameof(EMFILE), "too many open files"),
        ENOTTY => (nameof(ENOTTY), "request not known to this file"),
        EFBIG => (nameof(EFBIG), "file too large"),
        ENOSPC => (nameof(ENOSPC), "no space left"),
        EROFS => (nameof(EROFS), "read-only file system"),
        EPIPE => (nameof(EPIPE), "nobody reads it"),
        ENAMETOOLONG => (nameof(ENAMETOOLONG), "name too long"),
        ENOSYS => (nameof(ENOSYS), "not implemented"),
        ELOOP => (nameof(ELOOP), "too many symbolic links"),
        EPROTO => (nameof(EPROTO), "protocol error"),
        EOPNOTSUPP => (nameof(EOPNOTSUPP), "not supported"),
        EADDRINUSE => (nameof(EADDRINUSE), "address already in use"),
        EADDRNOTAVAIL => (nameof(EADDRNOTAVAIL), "no such address on this host"),
        ENETUNREACH => (nameof(ENETUNREACH), "network unreachable"),
        ECONNREFUSED => (nameof(ECONNREFUSED), "connection refused"),
        EHOSTUNREACH => (nameof(EHOSTUNREACH), "host unreachable"),
        _ => (null, null),
    };
}
