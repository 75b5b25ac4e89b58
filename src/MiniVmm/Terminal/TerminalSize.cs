using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Terminal;

/// <summary>
/// Follows the size of a terminal until it is disposed of. There may be none at first: programs that create a
/// terminal (docker, expect, script) often set its size only after they have started the program on it.
/// </summary>
internal sealed unsafe class TerminalSize : IDisposable
{
    private const PosixSignal SIGWINCH = (PosixSignal)28; // signal(7); the runtime's own name for it is not for Windows
    private readonly Lock _lock = new(); // the last size that is read is the last one told
    private readonly int _fd;
    private readonly Action<ushort, ushort> _resize;
    private readonly PosixSignalRegistration _changes;

    private TerminalSize(int fd, Action<ushort, ushort> resize)
    {
        _fd = fd;
        _resize = resize;
        _changes = PosixSignalRegistration.Create(SIGWINCH, _ => Refresh());
        Refresh();
    }

    /// <summary>Calls <paramref name="resize"/> with columns and rows, now and at each SIGWINCH.</summary>
    /// <returns>Null where the file is no terminal.</returns>
    public static TerminalSize? TryFollow(int fd, Action<ushort, ushort> resize) =>
        TryGet(fd, out _, out _) ? new TerminalSize(fd, resize) : null;

    /// <summary>How large a terminal is now; 0 columns and rows where nobody has told it.</summary>
    /// <returns>False where the file is no terminal.</returns>
    public static bool TryGet(int fd, out ushort columns, out ushort rows)
    {
        winsize size = default;
        bool isTerminal = Linux.Ioctl(fd, (nuint)LibC.TIOCGWINSZ, (nuint)(&size)) == 0;
        columns = size.ws_col;
        rows = size.ws_row;
        return isTerminal;
    }

    public void Dispose() => _changes.Dispose();

    /// <summary>Reports the size once more: a process in the background gets no SIGWINCH.</summary>
    public void Refresh()
    {
        lock (_lock)
        {
            if (TryGet(_fd, out ushort columns, out ushort rows) && columns != 0 && rows != 0)
                _resize(columns, rows);
        }
    }
}
