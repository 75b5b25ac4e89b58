using System.Diagnostics;
using System.Text;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Execution;
using MiniVmm.Host;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// What <c>--console</c> and <c>--debugcon</c> name: the guest's text on its way out, keys on their way in, and the
/// terminal's mode. Disposal writes out what is left and puts the terminal back.
/// </summary>
internal sealed unsafe class HostConsole : IDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(50);

    private const int StandardInput = 0;
    private const int StandardOutput = 1;
    private const int StandardError = 2;

    /// <summary>How often a screen is looked at that shows nothing yet, in milliseconds.</summary>
    private const int BetweenLooks = 100;

    private readonly Lifecycle _lifecycle;
    private readonly ConsoleOptions _options;
    private readonly ConsoleOutput? _output;
    private readonly ConsoleOutput? _debugOutput;
    private readonly MergedText? _merged;
    private readonly bool _takesInput;
    private TerminalMode? _terminal;
    private JobControl? _job;
    private ConsoleInput? _input;
    private ConsoleInput? _pairInput;
    private TerminalSize? _size;
    private ScreenView? _view;
    private GuestScreen? _screen;
    private IConsoleKeys? _keyboard;
    private bool _foundText;
    private readonly StreamPair? _pair;
    private readonly ConsoleRelay? _relay;
    private bool _disposed;

    /// <param name="options">Where the texts go.</param>
    /// <param name="lifecycle">Told when a reader is gone, and of Ctrl-A x.</param>
    /// <exception cref="BadInputException">A file cannot be written.</exception>
    public HostConsole(ConsoleOptions options, Lifecycle lifecycle)
    {
        _lifecycle = lifecycle;
        _options = options;
        _takesInput = !options.IsOutputOnly
            && (options.Console is ConsoleKind.Stdio or ConsoleKind.Virtio || options.Display == DisplayKind.Tty);
        CanShowScreen = options.Display switch
        {
            DisplayKind.Tty => IsTerminal(StandardOutput)
                ? true
                : throw new BadInputException(
                    $"{OptionName.Display.With("tty")}: standard output is not a terminal; a picture of the screen is made by "
                    + $"{OptionName.ScreenshotAtEnd}"),
            DisplayKind.Auto => _takesInput && IsTerminal(StandardInput) && IsTerminal(StandardOutput),
            _ => false,
        };
        try
        {
            _output = options.Console switch
            {
                ConsoleKind.None => null,
                ConsoleKind.File => Open(options.ConsolePath!, options.Option, options.Appends),
                ConsoleKind.Stream => OutputTo(_pair = new StreamPair()),
                ConsoleKind.Pty => Join(new PtyPeer(options.Option), out _pair, out _relay),
                ConsoleKind.Socket => Join(new SocketPeer(options.Socket!, options.Option), out _pair, out _relay),
                _ => new ConsoleOutput(StandardOutput, ownsFd: false, lifecycle),
            };
            _debugOutput = options.DebugConsole switch
            {
                DebugConsoleKind.Stdio when options.Console is not (ConsoleKind.Stdio or ConsoleKind.Virtio) => new ConsoleOutput(StandardOutput, ownsFd: false, lifecycle),
                DebugConsoleKind.Stderr => new ConsoleOutput(StandardError, ownsFd: false, lifecycle),
                DebugConsoleKind.File => Open(options.DebugConsolePath!, OptionName.Debugcon, options.DebugAppends),
                _ => null,
            };
        }
        catch
        {
            _output?.Dispose();
            _pair?.Dispose();
            _relay?.Dispose();
            throw;
        }

        Sink = _output ?? (IConsoleSink)NullSink.Instance;
        (SerialSink, DebugSink) = (Sink, _debugOutput ?? Sink);
        if (options.DebugConsole == DebugConsoleKind.None)
        {
            DebugSink = NullSink.Instance;
        }
        else if (options.DebugConsole == DebugConsoleKind.Auto && _output is not null)
        {
            _merged = new MergedText(_output);
            (SerialSink, DebugSink) = (_merged.Serial, _merged.Debug);
        }
    }

    /// <summary>Whether the guest's screen can be shown on the terminal.</summary>
    public bool CanShowScreen { get; }

    /// <summary>Takes the guest's text as it is.</summary>
    public IConsoleSink Sink { get; }

    /// <summary>Takes what COM1 prints.</summary>
    public IConsoleSink SerialSink { get; }

    /// <summary>Takes what port 0xe9 prints.</summary>
    public IConsoleSink DebugSink { get; }

    /// <summary>Where the console can be reached, where somebody is still to come; else null.</summary>
    public string? Place { get; private set; }

    /// <summary>
    /// The option whose output could not be written any more; after <see cref="StopKind.OutputClosed"/>.
    /// </summary>
    public NamedOption ClosedOption => _debugOutput?.IsClosed == true
        ? new(OptionName.Debugcon, _options.DebugConsolePath ?? Word(_options.DebugConsole))
        : new(_options.Option, _options.ConsolePath ?? Word(_options.Console));

    /// <summary>The other end of <see cref="ConsoleKind.Stream"/>, once.</summary>
    /// <exception cref="InvalidOperationException">The console is no stream, or it was taken.</exception>
    public int TakeStream() =>
        _pair?.TakePeer() ?? throw new InvalidOperationException("the machine's console is no stream, or was taken");

    /// <summary>Bytes that the guest has printed, where somebody may read them.</summary>
    public long Written => (_output?.Written ?? 0) + (_debugOutput?.Written ?? 0);

    /// <summary>Whether the guest's last line on standard output has no end yet.</summary>
    public bool LeavesLineOpen =>
        (_options.Console is ConsoleKind.Stdio or ConsoleKind.Virtio && _output!.LeavesLineOpen)
        || (_options.DebugConsole == DebugConsoleKind.Stdio && _debugOutput?.LeavesLineOpen == true);

    /// <summary>The last of what was shown or written for the guest. Not while it runs.</summary>
    public byte[] Recent() => [.. _output?.Recent() ?? [], .. _debugOutput?.Recent() ?? []];

    /// <summary>Whether the guest is to wait for the first who connects.</summary>
    public bool WaitsForPeer => _options.Socket is { Listens: true, Waits: true };

    /// <summary>Returns when the first one has connected, if the guest is to wait for him, or at the machine's end.</summary>
    /// <param name="timeout">The machine ends when that is over; null for no end.</param>
    public void WaitForPeer(TimeSpan? timeout = null)
    {
        long start = Stopwatch.GetTimestamp();
        while (WaitsForPeer && !_lifecycle.IsStopping && !_relay!.WaitForSomebody(LookAgain))
        {
            if (Stopwatch.GetElapsedTime(start) >= timeout)
                _lifecycle.Stop(new(StopKind.Timeout));
        }
    }

    /// <summary>Lets the user see the guest's screen, and type at it; only where the terminal can show it.</summary>
    /// <param name="screen">The screen.</param>
    /// <param name="keyboard">What is typed while it is shown.</param>
    public void AttachScreen(GuestScreen screen, IConsoleKeys keyboard)
    {
        _screen = screen;
        _keyboard = keyboard;
        ConsoleOutput? onTerminal = _options.Console is ConsoleKind.Stdio or ConsoleKind.Virtio ? _output : null;
        _view = new ScreenView(screen, StandardOutput, onTerminal ?? _debugOutput);
        if (_options.Display == DisplayKind.Tty)
            _view.Show();
    }

    /// <summary>
    /// Shows the screen, if nobody has said where, and the guest has written there and has printed nothing: then it has no console.
    /// </summary>
    /// <returns>Milliseconds until the next look; -1 if there is nothing more to look for.</returns>
    public int LookAtScreen()
    {
        if (_options.Display != DisplayKind.Auto || _view is not { IsShown: false } view || _output is { IsUsed: true })
            return -1;
        bool found = _screen!.HasContent;
        if (found && _foundText) // at once, it could still be about to print the same
        {
            view.Show();
            return -1;
        }

        _foundText = found;
        return BetweenLooks;
    }

    /// <summary>Starts to carry keys to the guest, if there is anything to carry from.</summary>
    /// <param name="console">Its console; null for none.</param>
    public void AttachInput(IConsoleKeys? console)
    {
        if (_pair is not null && console is not null)
            _pairInput = new ConsoleInput(_pair.Fd, console, _lifecycle, terminal: false);
        if (_view is not null)
            console = new SwitchedKeys(console, _keyboard!, _view, () => _output is { IsUsed: true });
        if (!_takesInput || console is null)
            return;
        if (TerminalMode.Of(StandardInput, _options.KeepsSignals) is { } terminal)
        {
            _terminal = terminal;
            _ = terminal.TryEnterRaw(); // in the background it waits until it is brought to the front
            _job = new JobControl(terminal, () => _view?.Suspend(), Continue);
        }

        _input = new ConsoleInput(StandardInput, console, _lifecycle, _terminal is not null && !_options.KeepsSignals, _terminal, _view);

        void Continue()
        {
            _size?.Refresh();
            if (_terminal is { IsForeground: true })
                _view?.Resume();
            _input?.Recheck();
        }
    }

    /// <summary>Reports the terminal's size, now and at each change, if text goes to a terminal.</summary>
    /// <param name="resize">Gets columns and rows; from any thread.</param>
    public void FollowSize(Action<ushort, ushort> resize) =>
        _size ??= TerminalSize.TryFollow(StandardOutput, resize);

    /// <summary>Carries nothing more to the guest: its devices may go.</summary>
    public void DetachInput()
    {
        _size?.Dispose();
        _size = null;
        _input?.Dispose();
        _pairInput?.Dispose();
        (_input, _pairInput) = (null, null);
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        DetachInput();
        _view?.Dispose();
        _merged?.Flush();
        _relay?.End();
        _output?.Dispose();
        _debugOutput?.Dispose();
        _pair?.Dispose();
        _relay?.Dispose();
        _job?.Dispose();
        _terminal?.Dispose();
    }

    private static bool IsTerminal(int fd) => isatty(fd) != 0;

    private static string Word(Enum kind) => kind.ToString().ToLowerInvariant();

    private ConsoleOutput Join(IConsolePeer peer, out StreamPair pair, out ConsoleRelay relay)
    {
        if (peer.Fd < 0)
            Place = peer.Name;
        pair = new StreamPair();
        relay = new ConsoleRelay(pair.TakePeer()!.Value, peer);
        return OutputTo(pair);
    }

    private ConsoleOutput OutputTo(StreamPair pair) => new(pair.Fd, ownsFd: false, _lifecycle, pair.EndText);

    private ConsoleOutput Open(string path, OptionName option, bool appends) => new(OpenFile(path, option, appends), ownsFd: true, _lifecycle);

    private static int OpenFile(string path, OptionName option, bool appends)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            int fd = open(name, O_WRONLY | O_CREAT | (appends ? O_APPEND : O_TRUNC) | O_CLOEXEC, 0x1a4 /* 0644 */);
            return fd >= 0
                ? fd
                : throw new BadInputException($"{option.With(path)}: cannot be written: {Errno.Explain(errno)}");
        }
    }
}
