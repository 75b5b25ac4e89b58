using System.Runtime.InteropServices;
using Tmds.Linux;

namespace MiniVmm.Host;

/// <summary>
/// An eventfd(2): a counter in the kernel that KVM raises for a guest's write (KVM_IOEVENTFD) or takes as an
/// interrupt (KVM_IRQFD). Safe to use from any thread until it is disposed.
/// </summary>
public sealed unsafe class EventFd : IDisposable
{
    private readonly FileHandle _handle;
    private int _fd;

    /// <param name="initial">The counter's first value.</param>
    /// <param name="blocking">Whether <see cref="Read"/> waits for a signal.</param>
    /// <exception cref="SystemCallException">No more files.</exception>
    public EventFd(uint initial = 0, bool blocking = false)
    {
        _fd = LibC.eventfd(initial, LibC.EFD_CLOEXEC | (blocking ? 0 : LibC.EFD_NONBLOCK));
        if (_fd < 0)
            throw new SystemCallException("eventfd", Marshal.GetLastPInvokeError());
        _handle = FileHandle.Hold(_fd);
    }

    /// <exception cref="ObjectDisposedException">Closed.</exception>
    public int Fd => FileHandle.Open(_fd, this);

    /// <summary>Adds one to the counter and wakes whoever waits for it. Allocates nothing.</summary>
    /// <exception cref="SystemCallException">The write failed; a full counter is no failure but signalled already.</exception>
    public void Signal()
    {
        ulong one = 1;
        int fd = Fd;
        while ((long)LibC.write(fd, &one, sizeof(ulong)) < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.EAGAIN)
                return;
            if (errno != Errno.EINTR)
                throw new SystemCallException("write eventfd", errno);
        }
    }

    /// <summary>Whether the counter is above 0, which it stays (poll(2) with no time to wait).</summary>
    /// <exception cref="ObjectDisposedException">Closed.</exception>
    public bool IsSignalled
    {
        get
        {
            pollfd poll = new() { fd = Fd, events = LibC.POLLIN };
            return LibC.poll(&poll, 1, 0) > 0;
        }
    }

    /// <summary>Takes the counter's value and leaves 0; gives 0 at once if nothing was signalled, or waits.</summary>
    /// <exception cref="SystemCallException">The read failed.</exception>
    public ulong Read()
    {
        ulong value = 0;
        int fd = Fd;
        while ((long)LibC.read(fd, &value, sizeof(ulong)) < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.EAGAIN)
                return 0;
            if (errno != Errno.EINTR)
                throw new SystemCallException("read eventfd", errno);
        }

        return value;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _fd, -1) >= 0)
            _handle.Drop();
    }
}
