using MiniVmm.Terminal;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Tools.Top;

/// <summary>Keys of the terminal on standard input, in raw mode until disposal.</summary>
internal sealed unsafe class TopKeys : IDisposable
{
    private const int Input = 0;

    private readonly TerminalMode? _mode = TerminalMode.Of(Input);

    public TopKeys() => _mode?.TryEnterRaw();

    /// <summary>Waits for a key.</summary>
    /// <param name="milliseconds">How long at most.</param>
    /// <returns><see cref="TopKey.None"/> if none has come, or one without a meaning.</returns>
    public static TopKey Read(int milliseconds)
    {
        pollfd input = new() { fd = Input, events = POLLIN };
        if (poll(&input, 1, milliseconds) <= 0)
            return TopKey.None;
        byte* bytes = stackalloc byte[16];
        long count = read(Input, bytes, 16);
        return count > 0 ? Of(new ReadOnlySpan<byte>(bytes, (int)count)) : TopKey.Quit; // the terminal has gone
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
        _ => TopKey.None,
    };

    public void Dispose() => _mode?.Dispose();
}
