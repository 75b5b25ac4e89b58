using System.Runtime.InteropServices;
using MiniVmm.Host;
using static MiniVmm.Host.FileCalls;

namespace MiniVmm.Storage;

/// <summary>
/// preadv(2) and pwritev(2), repeated until all is done: they may stop at any byte, and take a limited number of
/// pieces.
/// </summary>
internal static unsafe class FileTransfer
{
    /// <summary>Zeroes the pieces' bytes from the given one on.</summary>
    public static void Clear(ReadOnlySpan<IoVector> pieces, ulong from)
    {
        foreach (ref readonly IoVector piece in pieces)
        {
            ulong kept = Math.Min(from, piece.Length);
            NativeMemory.Clear(piece.Base + kept, (nuint)(piece.Length - kept));
            from -= kept;
        }
    }

    /// <summary>fallocate(2), repeated when a signal interrupts it.</summary>
    /// <returns>0 or the errno.</returns>
    public static int Allocate(int fd, int mode, ulong offset, ulong length)
    {
        while (FAllocate(fd, mode, (long)offset, (long)length) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno != Errno.EINTR)
                return errno;
        }

        return 0;
    }

    /// <summary>Moves bytes until all are moved, or until a read reaches the end of the file.</summary>
    /// <param name="fd">The file.</param>
    /// <param name="offset">First byte; the last one's is below 2^63.</param>
    /// <param name="pieces">In order.</param>
    /// <param name="writes">To the file, or from it.</param>
    /// <param name="blockSize">
    /// What a transfer that stops midway still is a multiple of, except at the file's end.
    /// </param>
    /// <param name="done">Bytes moved.</param>
    /// <returns>0 or the errno.</returns>
    public static int Move(
        int fd, ulong offset, ReadOnlySpan<IoVector> pieces, bool writes, uint blockSize, out ulong done)
    {
        done = 0;
        fixed (IoVector* first = pieces)
        {
            int at = 0;
            ulong into = 0; // bytes of that piece that are done already
            while (at < pieces.Length)
            {
                var rest = new IoVector(first[at].Base + into, first[at].Length - into);
                IoVector* from = into == 0 ? first + at : &rest;
                int count = into == 0 ? Math.Min(pieces.Length - at, IOV_MAX) : 1;
                nint moved = writes
                    ? PWriteV(fd, from, count, (long)(offset + done))
                    : PReadV(fd, from, count, (long)(offset + done));
                if (moved < 0)
                {
                    int errno = Marshal.GetLastPInvokeError();
                    if (errno == Errno.EINTR)
                        continue;
                    return errno;
                }

                if (moved == 0)
                    return writes && rest.Length != 0 ? Errno.EIO : 0;
                done += (ulong)moved;
                if ((ulong)moved % blockSize != 0)
                    return writes ? Errno.EIO : 0;
                into += (ulong)moved;
                while (at < pieces.Length && into >= first[at].Length)
                    into -= first[at++].Length;
            }
        }

        return 0;
    }
}
