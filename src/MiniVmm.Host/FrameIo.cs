using System.Runtime.InteropServices;

namespace MiniVmm.Host;

/// <summary>readv(2) and writev(2) on pieces of guest RAM: one frame a call.</summary>
public static unsafe partial class FrameIo
{
    /// <summary>Most pieces of one call (UIO_MAXIOV).</summary>
    public const int MostPieces = 1024;

    /// <returns>Bytes read, or -1 with the error in <see cref="Marshal.GetLastPInvokeError"/>.</returns>
    [LibraryImport("libc", EntryPoint = "readv", SetLastError = true)]
    public static partial nint Read(int fd, IoVector* pieces, int count);

    /// <returns>Bytes written, or -1 with the error in <see cref="Marshal.GetLastPInvokeError"/>.</returns>
    [LibraryImport("libc", EntryPoint = "writev", SetLastError = true)]
    public static partial nint Write(int fd, IoVector* pieces, int count);
}
