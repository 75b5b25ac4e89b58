using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>A pseudoterminal (pty(7)), in raw mode, that any terminal program can open by its name.</summary>
internal sealed unsafe class PtyPeer : IConsolePeer
{
    private const uint TIOCGPTN = 0x8004_5430;
    private const uint TIOCSPTLCK = 0x4004_5431;
    private const int TIOCGPTPEER = 0x5441;

    private readonly int _master;
    private bool _connected;

    /// <exception cref="HostLimitException">The host has no pseudoterminal left.</exception>
    public PtyPeer(OptionName option)
    {
        fixed (byte* multiplexer = "/dev/ptmx\0"u8)
            _master = open(multiplexer, O_RDWR | O_NOCTTY | O_CLOEXEC | FileCalls.O_NONBLOCK);
        int unlocked = 0;
        uint number;
        termios mode;
        if (_master < 0 || ioctl(_master, (int)TIOCSPTLCK, &unlocked) != 0 || ioctl(_master, unchecked((int)TIOCGPTN), &number) != 0
            || tcgetattr(_master, &mode) != 0)
        {
            string why = Errno.Explain(errno);
            Dispose();
            throw new HostLimitException($"{option.With("pty")}: no pseudoterminal: {why}");
        }

        Name = $"/dev/pts/{number}";
        mode.c_iflag = 0;
        mode.c_oflag = 0;
        mode.c_lflag = 0;
        _ = tcsetattr(_master, (int)TCSANOW, &mode);

        // Only one that was opened and closed again says that nobody has it open.
        int slave = ioctl(_master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave >= 0)
            _ = close(slave);
    }

    public string Name { get; } = "";

    public int Fd => _connected ? _master : -1;

    public int Arrivals => -1; // a pseudoterminal tells of an open slave only to who looks

    public void TryConnect()
    {
        pollfd state = new() { fd = _master, events = POLLIN };
        _connected = poll(&state, 1, 0) >= 0 && (state.revents & POLLHUP) == 0;
    }

    public void Disconnect() => _connected = false;

    public void Dispose()
    {
        if (_master >= 0)
            _ = close(_master);
    }
}
