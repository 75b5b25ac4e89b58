using System.Runtime.InteropServices;
using MiniVmm.Host;
using static MiniVmm.Host.FileCalls;

namespace MiniVmm.Storage;

/// <summary>
/// The lock that keeps two machines off one image: QEMU's scheme of single bytes under open file description locks
/// (fcntl(2)), so that QEMU, qemu-img and this program exclude each other. A byte from 100 on is held, shared, for
/// what its owner does; a byte from 200 on for what it does not suffer others to do. Whoever finds the opposite byte
/// held is out.
/// </summary>
/// <remarks>The kernel drops it with the last descriptor of the open file: no way out of the program leaves it
/// behind.</remarks>
internal static unsafe class ImageLock
{
    private const int Doing = 100;
    private const int NotSuffering = 200;

    // Bits of what is done to an image (QEMU's docs/devel: BLK_PERM_*).
    private const int ConsistentRead = 0;
    private const int Write = 1;
    private const int Resize = 3;

    /// <summary>Locks an open file: for itself alone when it writes, else together with other readers.</summary>
    /// <remarks>A file system without such locks is taken as it is, as QEMU does.</remarks>
    /// <exception cref="BadInputException">Another process has it; named where it can be found.</exception>
    public static void Take(int fd, string subject, bool readOnly)
    {
        // First say, then look: of two that start together at least one sees the other.
        bool free = TrySay(fd, Doing + ConsistentRead)
            && TrySay(fd, NotSuffering + Write) && TrySay(fd, NotSuffering + Resize)
            && (readOnly || (TrySay(fd, Doing + Write) && TrySay(fd, Doing + Resize)))
            && !IsSaid(fd, NotSuffering + ConsistentRead) && !IsSaid(fd, Doing + Write) && !IsSaid(fd, Doing + Resize)
            && (readOnly || !(IsSaid(fd, NotSuffering + Write) || IsSaid(fd, NotSuffering + Resize)));
        if (free)
            return;
        string owner = LockOwner.Find(fd) ?? "another process";
        Drop(fd);
        throw new BadInputException($"{subject}: is locked by {owner}; end that first, or use a copy of the image");
    }

    /// <summary>
    /// Gives it up at once. Closing is not enough where another thread has just forked: until its child starts a program,
    /// that has the open file too.
    /// </summary>
    public static void Drop(int fd)
    {
        flock_x86_64 all = new() { l_type = F_UNLCK };
        _ = FCntl(fd, F_OFD_SETLK, &all);
    }

    /// <returns>False only where someone has locked the byte for himself, outside of the scheme.</returns>
    private static bool TrySay(int fd, int at)
    {
        flock_x86_64 wanted = Byte(F_RDLCK, at);
        return FCntl(fd, F_OFD_SETLK, &wanted) == 0
            || Marshal.GetLastPInvokeError() is not (Errno.EAGAIN or Errno.EACCES);
    }

    private static bool IsSaid(int fd, int at)
    {
        flock_x86_64 wanted = Byte(F_WRLCK, at);
        return FCntl(fd, F_OFD_GETLK, &wanted) == 0 && wanted.l_type != F_UNLCK;
    }

    private static flock_x86_64 Byte(short type, int at) => new() { l_type = type, l_start = at, l_len = 1 };
}
