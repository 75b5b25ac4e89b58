using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Cli.Output;

/// <summary>
/// Standard output or error by write(2) alone. .NET's Console would first switch a terminal's keypad to another mode
/// (terminfo's keypad_xmit), and again at every SIGCONT, and never undo it.
/// </summary>
/// <param name="fd">The descriptor; it stays open.</param>
internal sealed unsafe class StandardStream(int fd) : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Writes all of it. What a reader that has gone no longer takes is dropped, as of any filter.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        fixed (byte* data = buffer)
        {
            int sent = 0;
            while (sent < buffer.Length)
            {
                long count = write(fd, data + sent, buffer.Length - sent);
                if (count >= 0)
                    sent += (int)count;
                else if (errno == EPIPE)
                    return;
                else if (errno == EAGAIN)
                    WaitForRoom();
                else if (errno != EINTR)
                    throw new IOException($"{(fd == 2 ? "standard error" : "standard output")}: {Errno.Explain(errno)}");
            }
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Nothing is kept back.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Somebody who shares the terminal or pipe has made it non-blocking.</summary>
    private void WaitForRoom()
    {
        pollfd room = new() { fd = fd, events = POLLOUT };
        _ = poll(&room, 1, -1);
    }
}
