using System.Runtime.CompilerServices;
using MiniVmm.Devices;

namespace MiniVmm.Terminal;

/// <summary>
/// COM1's text and port 0xe9's on one output, for kernels that print the same on both: a line that one has shown is not
/// shown again by the other, whichever came first, byte by byte or string by string. What only one prints is always shown.
/// </summary>
/// <remarks>
/// COM1 is shown at once, so that prompts are seen. Port 0xe9 is, too, until COM1 is first used, and line by line from then
/// on. Carriage returns do not count. Called from vCPU threads: nothing is allocated, and no lock is held over a write.
/// </remarks>
/// <param name="output">Takes what is to be shown.</param>
internal sealed class MergedText(IConsoleSink output)
{
    /// <summary>Bytes that are remembered of each side, at most.</summary>
    private const int Remembered = 4096;

    /// <summary>Bytes of a line that wait for its end, at most; then they are shown.</summary>
    private const int Most = 1024;

    private readonly DeviceLock _lock = new();
    private readonly LineMemory _serial = new(Remembered); // shown for COM1; port 0xe9 may repeat it
    private readonly LineMemory _debug = new(Remembered); // shown for port 0xe9; COM1 may repeat it
    private readonly byte[] _line = new byte[Most]; // port 0xe9's, until it is known whether COM1 has it
    private readonly byte[] _repeated = new byte[Most]; // COM1's line so far, if port 0xe9 has shown the same
    private int _lineLength;
    private int _repeatedLength;
    private bool _serialUsed;
    private bool _serialAtLineStart = true;

    /// <summary>Takes COM1's text.</summary>
    public IConsoleSink Serial => new SerialSide(this);

    /// <summary>Takes port 0xe9's.</summary>
    public IConsoleSink Debug => new DebugSide(this);

    /// <summary>Shows the last line of port 0xe9's if it has no end, and COM1 does not have it.</summary>
    public void Flush()
    {
        // The vCPUs have stopped: nobody else writes.
        ReadOnlySpan<byte> line = _line.AsSpan(0, _lineLength);
        _lineLength = 0;
        if (!_serial.TryForgetThrough(line))
            Show(line);
    }

    private void Show(ReadOnlySpan<byte> text)
    {
        foreach (byte value in text)
            output.Write(value);
    }

    [SkipLocalsInit]
    private void WriteSerial(byte value)
    {
        Span<byte> held = stackalloc byte[Most];
        int count = 0;
        using (_lock.Hold())
        {
            _serialUsed = true;
            if ((_serialAtLineStart || _repeatedLength > 0) && _debug.Length > 0)
            {
                if (Repeats(value))
                    return;
                count = _repeatedLength;
                _repeated.AsSpan(0, count).CopyTo(held);
                _repeatedLength = 0;
                _debug.Clear();
            }
            else
            {
                held[count++] = value;
            }

            _serialAtLineStart = value == '\n';
            foreach (byte shown in held[..count])
                _serial.Add(shown);
        }

        Show(held[..count]);
    }

    [SkipLocalsInit]
    private void WriteDebug(byte value)
    {
        Span<byte> held = stackalloc byte[Most];
        int count = 0;
        using (_lock.Hold())
        {
            _line[_lineLength++] = value;
            bool atEnd = value == '\n' || _lineLength == Most;
            if (_serialUsed && !atEnd)
                return;
            count = _lineLength;
            _line.AsSpan(0, count).CopyTo(held);
            _lineLength = 0;
            if (_serialUsed && _serial.TryForgetThrough(held[..count]))
            {
                _debug.SkipLine();
                return;
            }

            foreach (byte shown in held[..count])
                _debug.Add(shown);
        }

        Show(held[..count]);
    }

    /// <summary>COM1's next byte, where its line may be one that port 0xe9 has shown.</summary>
    /// <returns>Whether it still may; what has been held back since is to be shown if not.</returns>
    private bool Repeats(byte value)
    {
        if (value == '\r')
            return true;
        _repeated[_repeatedLength++] = value;
        ReadOnlySpan<byte> line = _repeated.AsSpan(0, _repeatedLength);
        if (!_debug.StartsLine(line) || _repeatedLength == Most)
            return false;
        _serialAtLineStart = value == '\n';

        // A whole line is done with; and so is a part of one, if port 0xe9 has shown no more of it yet.
        if (value == '\n' || _debug.EndsWithPart(line))
        {
            _ = _debug.TryForgetThrough(line);
            _repeatedLength = 0;
        }

        return true;
    }

    private sealed class SerialSide(MergedText text) : IConsoleSink
    {
        public void Write(byte value) => text.WriteSerial(value);
    }

    private sealed class DebugSide(MergedText text) : IConsoleSink
    {
        public void Write(byte value) => text.WriteDebug(value);
    }
}
