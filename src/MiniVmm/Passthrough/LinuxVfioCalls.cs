using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Passthrough;

/// <summary>VFIO of the host's kernel. Reads and writes allocate nothing: vCPUs come here for registers.</summary>
internal sealed unsafe class LinuxVfioCalls : IVfioCalls
{
    public static readonly LinuxVfioCalls Instance = new();

    public ulong? LockableMemory => ProcessLimit.LockedMemory;

    public int Open(string path)
    {
        while (true)
        {
            int fd = FileCalls.Open(path, FileCalls.O_RDWR | FileCalls.O_CLOEXEC, 0);
            if (fd >= 0)
                return fd;
            if (Failure() is var error && error != -Errno.EINTR)
                return error;
        }
    }

    public void Close(int fd) => _ = FileCalls.Close(fd);

    public int Ioctl(int fd, uint request, nint argument)
    {
        while (true)
        {
            int result = Linux.Ioctl(fd, request, (nuint)argument);
            if (result >= 0)
                return result;
            if (Failure() is var error && error != -Errno.EINTR)
                return error;
        }
    }

    public nint Map(int fd, ulong offset, ulong length, bool isWritable)
    {
        int protection = LibC.PROT_READ | (isWritable ? LibC.PROT_WRITE : 0);
        void* address = LibC.mmap(null, (size_t)length, protection, LibC.MAP_SHARED, fd, (off_t)(long)offset);
        return address == LibC.MAP_FAILED ? Failure() : (nint)address;
    }

    public void Unmap(nint address, ulong length) => _ = LibC.munmap((void*)address, (size_t)length);

    public nint Read(int fd, ulong offset, Span<byte> data)
    {
        fixed (byte* bytes = data)
        {
            IoVector piece = new(bytes, (ulong)data.Length);
            while (true)
            {
                nint count = FileCalls.PReadV(fd, &piece, 1, (long)offset);
                if (count >= 0)
                    return count;
                if (Failure() is var error && error != -Errno.EINTR)
                    return error;
            }
        }
    }

    public nint Write(int fd, ulong offset, ReadOnlySpan<byte> data)
    {
        fixed (byte* bytes = data)
        {
            IoVector piece = new(bytes, (ulong)data.Length);
            while (true)
            {
                nint count = FileCalls.PWriteV(fd, &piece, 1, (long)offset);
                if (count >= 0)
                    return count;
                if (Failure() is var error && error != -Errno.EINTR)
                    return error;
            }
        }
    }

    private static int Failure() => -Marshal.GetLastPInvokeError();
}
