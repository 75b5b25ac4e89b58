using System.Runtime.InteropServices;
using System.Text;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Network;

/// <summary>A file under flock(2): the kernel releases it with the process, however that ends.</summary>
internal sealed unsafe class FileLock : IDisposable
{

    private int _fd;

    private FileLock(int fd) => _fd = fd;

    /// <summary>Waits until nobody else holds it.</summary>
    /// <exception cref="IOException">The file cannot be made or locked.</exception>
    public static FileLock Take(string path) => Open(path, Linux.LOCK_EX)!;

    /// <summary>Holds it together with others who share it.</summary>
    /// <exception cref="IOException">The file cannot be created or locked, or another process holds it
    /// exclusively.</exception>
    public static FileLock Share(string path) =>
        Open(path, Linux.LOCK_SH | Linux.LOCK_NB) ?? throw new IOException($"{path} is locked");

    /// <returns>Null if anybody holds it.</returns>
    /// <exception cref="IOException">The file cannot be made or locked.</exception>
    public static FileLock? TryTake(string path) => Open(path, Linux.LOCK_EX | Linux.LOCK_NB);

    public void Dispose()
    {
        if (_fd >= 0)
            _ = LibC.close(_fd);
        _fd = -1;
    }

    private static FileLock? Open(string path, int operation)
    {
        int fd;
        fixed (byte* text = Encoding.UTF8.GetBytes(path + "\0"))
            fd = LibC.open(text, LibC.O_RDWR | LibC.O_CREAT | LibC.O_CLOEXEC, 0x180); // 0600
        if (fd < 0)
            throw Failed(path, Marshal.GetLastPInvokeError());
        while (Linux.FLock(fd, operation) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error == Errno.EINTR)
                continue;
            _ = LibC.close(fd);
            return error == Errno.EAGAIN ? null : throw Failed(path, error);
        }

        return new FileLock(fd);
    }

    private static IOException Failed(string path, int error) => new($"{path}: {Errno.Explain(error)}");
}
