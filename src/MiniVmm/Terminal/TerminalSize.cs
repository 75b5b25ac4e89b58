using System.Runtime.InteropServices;
using Tmds.Linux;

namespace MiniVmm.Terminal;

/// <summary>Follows the size of a terminal until it is disposed of.</summary>
internal sealed unsafe class TerminalSize : IDisposable
{
    private const PosixSignal SIGWINCH = (PosixSignal)28; // signal(7); the runtime's own name for it is not for Windows
    private readonly PosixSignalRegistration _changes;

    private TerminalSize(PosixSignalRegistration changes) => _changes = changes;

    /// <summary>Tells <paramref name="resize"/> columns and rows, now and at each SIGWINCH.</summary>
    /// <returns>Null where the file is no terminal, or one without a size.</returns>
    public static TerminalSize? TryFollow(int fd, Action<ushort, ushort> resize)
    {
        if (!TryGet(fd, out ushort columns, out ushort rows))
            return null;
        TerminalSize followed = new(PosixSignalRegistration.Create(SIGWINCH, _ =>
        {
            if (TryGet(fd, out ushort newColumns, out ushort newRows))
                resize(newColumns, newRows);
        }));
        resize(columns, rows);
        return followed;
    }

    public void Dispose() => _changes.Dispose();

    private static bool TryGet(int fd, out ushort columns, out ushort rows)
    {
        winsize size = default;
        bool isTerminal = Kvm.Linux.Ioctl(fd, (nuint)LibC.TIOCGWINSZ, (nuint)(&size)) == 0;
        columns = size.ws_col;
        rows = size.ws_row;
        return isTerminal && columns != 0 && rows != 0;
    }
}
