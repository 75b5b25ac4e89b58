using System.Runtime.InteropServices;
using MiniVmm.Host;
using static MiniVmm.Host.FileCalls;

namespace MiniVmm.Storage;

/// <summary>
/// The lock that keeps two machines off one image: QEMU's scheme of single bytes under open file description locks
/// (fcntl(2)), so that QEMU, qemu-img and this program exclude each other. A byte from 100 on is held, shared, for
/// what its owner does; a byte from 200 on for what it forbids others to do. A process that finds the opposite byte
/// held may not use the image.
/// </summary>
/// <remarks>The kernel drops it with the last descriptor of the open file, however the process ends.</remarks>
internal static unsafe class ImageLock
{
    private const int Permission = 100;
    private const int Unshared = 200;

    // Bits of what is done to an image (QEMU's docs/devel: BLK_PERM_*).
    private const int ConsistentRead = 0;
    private const int Write = 1;
    private const int Resize = 3;

    /// <summary>Locks an open file: exclusively for writing, else shared with other readers.</summary>
    /// <remarks>On a file system without such locks the file is used without one, as QEMU does.</remarks>
    /// <exception cref="BadInputException">Another process holds it; named if it can be found.</exception>
    public static void Take(int fd, NamedOption subject, bool readOnly)
    {
        // Lock first, then look: of two that start together at least one sees the other.
        bool free = TryHold(fd, Permission + ConsistentRead)
            && TryHold(fd, Unshared + Write) && TryHold(fd, Unshared + Resize)
            && (readOnly || (TryHold(fd, Permission + Write) && TryHold(fd, Permission + Resize)))
            && !IsHeld(fd, Unshared + ConsistentRead)
            && !IsHeld(fd, Permission + Write) && !IsHeld(fd, Permission + Resize)
            && (readOnly || !(IsHeld(fd, Unshared + Write) || IsHeld(fd, Unshared + Resize)));
        if (free)
            return;
        string owner = LockOwner.Find(fd) ?? "another process";
        Drop(fd);
        throw new BadInputException($"{subject}: is locked by {owner}; end that first, or use a copy of the image");
    }

    /// <summary>
    /// Releases it at once. Closing is not enough if another thread has just forked: until the child calls exec, it
    /// has the file open too.
    /// </summary>
    public static void Drop(int fd)
    {
        flock_x86_64 all = new() { l_type = F_UNLCK };
        _ = FCntl(fd, F_OFD_SETLK, &all);
    }

    /// <returns>
    /// False only if another process has locked the byte exclusively, which is not part of the scheme.
    /// </returns>
    private static bool TryHold(int fd, int at)
    {
        flock_x86_64 wanted = Byte(F_RDLCK, at);
        return FCntl(fd, F_OFD_SETLK, &wanted) == 0
            || Marshal.GetLastPInvokeError() is not (Errno.EAGAIN or Errno.EACCES);
    }

    private static bool IsHeld(int fd, int at)
    {
        flock_x86_64 wanted = Byte(F_WRLCK, at);
        return FCntl(fd, F_OFD_GETLK, &wanted) == 0 && wanted.l_type != F_UNLCK;
    }

    private static flock_x86_64 Byte(short type, int at) => new() { l_type = type, l_start = at, l_len = 1 };
}
