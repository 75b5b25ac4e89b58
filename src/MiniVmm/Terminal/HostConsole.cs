using System.Text;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>Where the guest's console goes.</summary>
public enum ConsoleKind
{
    /// <summary>Standard input and output.</summary>
    Stdio,

    /// <summary>A file, written anew; no input.</summary>
    File,

    /// <summary>Nowhere.</summary>
    None,

    /// <summary>
    /// Standard input goes to the virtio console; its text and the serial port's both go to standard output.
    /// </summary>
    Virtio,
}

/// <summary>
/// What <c>--console</c> names: the guest's text on its way out, keys on their way in, and the terminal's mode.
/// Disposal writes out what is left and puts the terminal back.
/// </summary>
internal sealed unsafe class HostConsole : IDisposable
{
    private const int StandardInput = 0;
    private const int StandardOutput = 1;
    private readonly Lifecycle _lifecycle;
    private readonly ConsoleOutput? _output;
    private readonly bool _takesInput;
    private TerminalMode? _terminal;
    private ConsoleInput? _input;
    private TerminalSize? _size;
    private bool _disposed;

    /// <param name="kind">Where it goes.</param>
    /// <param name="path">The file of <see cref="ConsoleKind.File"/>.</param>
    /// <param name="lifecycle">Told when the reader is gone, and of Ctrl-A x.</param>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public HostConsole(ConsoleKind kind, string? path, Lifecycle lifecycle)
    {
        _lifecycle = lifecycle;
        _takesInput = kind is ConsoleKind.Stdio or ConsoleKind.Virtio;
        _output = kind switch
        {
            ConsoleKind.None => null,
            ConsoleKind.File => new ConsoleOutput(OpenFile(path!), ownsFd: true, lifecycle),
            _ => new ConsoleOutput(StandardOutput, ownsFd: false, lifecycle),
        };
    }

    /// <summary>Takes the guest's text.</summary>
    public IConsoleSink Sink => _output is null ? NullSink.Instance : _output;

    /// <summary>Starts to carry keys to the guest, if there is anything to carry from.</summary>
    public void AttachInput(IConsoleKeys console)
    {
        if (!_takesInput)
            return;
        _terminal = TerminalMode.TryEnterRaw(StandardInput);

        // A terminal that is not ours, as of a job in the background: reading from it would stop us (SIGTTIN).
        if (_terminal is null && isatty(StandardInput) != 0)
            return;
        _input = new ConsoleInput(StandardInput, console, _lifecycle, _terminal is not null);
    }

    /// <summary>Says how large the terminal is, now and whenever that changes, if text goes to one.</summary>
    /// <param name="resize">Gets columns and rows; from any thread.</param>
    public void FollowSize(Action<ushort, ushort> resize) =>
        _size ??= TerminalSize.TryFollow(StandardOutput, resize);

    /// <summary>Carries nothing more to the guest: its devices may go.</summary>
    public void DetachInput()
    {
        _size?.Dispose();
        _size = null;
        _input?.Dispose();
        _input = null;
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        DetachInput();
        _output?.Dispose();
        _terminal?.Dispose();
    }

    private static int OpenFile(string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0x1a4 /* 0644 */);
            return fd >= 0
                ? fd
                : throw new BadInputException($"--console {path}: cannot be written: {Errno.Explain(errno)}");
        }
    }

    private sealed class NullSink : IConsoleSink
    {
        public static readonly NullSink Instance = new();

        public void Write(byte value)
        {
        }
    }
}
