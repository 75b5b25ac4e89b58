using MiniVmm.Terminal;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Tools.Top;

/// <summary>Keys of the terminal on standard input: in raw mode until disposal, while it is this process'.</summary>
internal sealed unsafe class TopKeys : IDisposable
{
    private const int Input = 0;

    private readonly TerminalMode? _mode = TerminalMode.Of(Input);
    private readonly JobControl? _job;

    /// <param name="screen">What is given back and had again with the keys, as a shell has its jobs do.</param>
    public TopKeys(TopScreen screen)
    {
        JobControl.RefuseToBeStoppedByReading();
        if (_mode is not null)
            _job = new JobControl(_mode, screen.Suspend, screen.Resume);
    }

    /// <summary>Whether the terminal is this process' now, and no other's; then it is in raw mode.</summary>
    public bool HaveTerminal => _mode is null || _mode.TryStayRaw();

    /// <summary>Waits for a key.</summary>
    /// <param name="milliseconds">How long at most.</param>
    /// <returns><see cref="TopKey.None"/> if none has come, or one without a meaning.</returns>
    public TopKey Read(int milliseconds)
    {
        bool isOurs = HaveTerminal;
        pollfd input = new() { fd = isOurs ? Input : -1, events = POLLIN };
        if (poll(&input, 1, milliseconds) <= 0)
            return isOurs || isatty(Input) != 0 ? TopKey.None : TopKey.Quit; // the terminal has gone
        byte* bytes = stackalloc byte[16];
        long count = read(Input, bytes, 16);
        if (count < 0 && (errno == EINTR || errno == EAGAIN || (errno == EIO && _mode is { IsForeground: false })))
            return TopKey.None; // it has just been put into the background
        return count > 0 ? Of(new ReadOnlySpan<byte>(bytes, (int)count)) : TopKey.Quit;
    }

    /// <summary>What a terminal sends for a key.</summary>
    public static TopKey Of(ReadOnlySpan<byte> key) => key switch
    {
        [0x1b, (byte)'[' or (byte)'O', (byte)'A', ..] or [(byte)'k'] => TopKey.Up,
        [0x1b, (byte)'[' or (byte)'O', (byte)'B', ..] or [(byte)'j'] => TopKey.Down,
        [(byte)'\r' or (byte)'\n' or (byte)'e'] => TopKey.Exits,
        [(byte)'d'] => TopKey.Devices,
        [0x1b] => TopKey.Back,
        [(byte)'q' or 3] => TopKey.Quit, // Ctrl-C, in raw mode
        [0x1a] => TopKey.Suspend, // Ctrl-Z
        _ => TopKey.None,
    };

    public void Dispose()
    {
        _job?.Dispose();
        _mode?.Dispose();
    }
}
