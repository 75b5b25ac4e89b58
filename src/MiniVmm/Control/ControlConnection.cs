using MiniVmm.Host;
using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>
/// One client of a control socket. Nothing here blocks: until the client has read its answer, its next request is not
/// read, so a client takes up room for one request and one answer at most.
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

    /// <summary>When it was last served, by the server's counter.</summary>
    public long LastServed { get; set; }

    /// <summary>Reads, answers and sends as far as possible without blocking.</summary>
    /// <returns>False if the client has gone, or is to be dropped.</returns>
    public bool Serve(ControlProtocol protocol)
    {
        // One read per call, so that a client that never stops writing does not starve the others.
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

    /// <summary>Sends as much as fits.</summary>
    /// <returns>False if the client has gone.</returns>
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
