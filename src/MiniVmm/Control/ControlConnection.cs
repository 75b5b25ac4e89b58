using MiniVmm.Host;
using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>
/// One client of a control socket. Nothing here waits: while the client does not take its answer, its next requests
/// are not read, so that it holds one line in and one answer out and no more.
/// </summary>
/// <param name="socket">The client's end.</param>
/// <param name="caller">The user at the other end.</param>
internal sealed class ControlConnection(UnixSocket socket, uint caller) : IDisposable
{
    private readonly byte[] _input = new byte[ControlProtocol.MaxRequest];
    private int _filled;
    private ReadOnlyMemory<byte> _answer;
    private bool _last;

    public int Fd => socket.Fd;

    /// <summary>What to poll for.</summary>
    public short Interest => _answer.IsEmpty ? POLLIN : POLLOUT;

    /// <summary>When it last was ready, in the server's count.</summary>
    public long LastServed { get; set; }

    /// <summary>Goes on from where the client is; false if it has gone, or is to go.</summary>
    public bool Serve(ControlProtocol protocol)
    {
        // One read a time, so that a client that writes without end leaves room for others.
        bool mayRead = true;
        while (Flush())
        {
            if (!_answer.IsEmpty)
                return true;
            if (_last)
                return false;
            int end = _input.AsSpan(0, _filled).IndexOf((byte)'\n');
            if (end >= 0)
            {
                _answer = protocol.Answer(_input.AsMemory(0, end), caller);
                _filled -= end + 1;
                _input.AsSpan(end + 1, _filled).CopyTo(_input);
            }
            else if (_filled == _input.Length)
            {
                _answer = ControlProtocol.Refuse(ControlRefusal.LineTooLong);
                _last = true;
            }
            else if (mayRead)
            {
                mayRead = false;
                int got = socket.Receive(_input.AsSpan(_filled));
                if (got <= 0)
                    return got == -Errno.EAGAIN;
                _filled += got;
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Sends what fits; false if nobody takes it any more.</summary>
    private bool Flush()
    {
        while (!_answer.IsEmpty)
        {
            int sent = socket.Send(_answer.Span);
            if (sent <= 0)
                return sent == -Errno.EAGAIN;
            _answer = _answer[sent..];
        }

        return true;
    }

    public void Dispose() => socket.Dispose();
}
