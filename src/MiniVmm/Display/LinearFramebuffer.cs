using System.Runtime.InteropServices;
using MiniVmm.Devices;

namespace MiniVmm.Display;

/// <summary>How video memory becomes a picture.</summary>
/// <param name="Width">Dots of a line.</param>
/// <param name="Height">Lines.</param>
/// <param name="Pitch">Bytes from one line to the next.</param>
/// <param name="Offset">Bytes from the start of video memory to the top left dot.</param>
/// <param name="BitsPerPixel">32, 24, 16 (5-6-5) or 15 (5-5-5), blue in the lowest bits.</param>
internal readonly record struct FrameMode(int Width, int Height, int Pitch, int Offset, int BitsPerPixel)
{
    public int BytesPerPixel => (BitsPerPixel + 7) / 8;

    /// <summary>Whether every dot is in so much video memory.</summary>
    public bool FitsIn(ulong length) =>
        Width > 0 && Height > 0 && Offset >= 0 && Pitch >= Width * BytesPerPixel
        && (ulong)Offset + ((ulong)Pitch * (ulong)(Height - 1)) + ((ulong)Width * (ulong)BytesPerPixel) <= length;
}

/// <summary>Video memory that the guest draws to without an exit, looked at when somebody wants to see it.</summary>
internal sealed unsafe class LinearFramebuffer
{
    private readonly DeviceLock _lock = new();
    private nint _host;
    private ulong _length;
    private FrameMode? _mode;

    /// <param name="host">Where it is mapped here, for as long as it is looked at.</param>
    /// <param name="length">Bytes of it.</param>
    public LinearFramebuffer(nint host, ulong length)
    {
        _host = host;
        _length = length;
    }

    /// <summary>Null while it shows nothing, or what is not all in its memory. From any thread; allocates nothing.</summary>
    public FrameMode? Mode
    {
        get
        {
            using (_lock.Hold())
                return _mode;
        }

        set
        {
            using (_lock.Hold())
                _mode = value is { } mode && mode.FitsIn(_length) ? value : null;
        }
    }

    /// <summary>Shows other memory, which has to stay mapped like the first; from any thread.</summary>
    public void Show(nint host, ulong length, FrameMode? mode)
    {
        using (_lock.Hold())
        {
            (_host, _length) = (host, length);
            _mode = mode is { } shown && shown.FitsIn(length) ? mode : null;
        }
    }

    /// <summary>Makes what it shows black.</summary>
    public void Clear()
    {
        if (Mode is { } mode)
            new Span<byte>((byte*)_host + mode.Offset, (mode.Pitch * (mode.Height - 1)) + (mode.Width * mode.BytesPerPixel)).Clear();
    }

    /// <summary>Whether all of its memory is 0.</summary>
    public bool IsBlack
    {
        get
        {
            nint host;
            ulong length;
            using (_lock.Hold())
                (host, length) = (_host, _length);
            return !new ReadOnlySpan<byte>((void*)host, (int)length).ContainsAnyExcept((byte)0);
        }
    }

    /// <summary>The picture now; null while it shows nothing.</summary>
    public ScreenImage? Capture()
    {
        nint host;
        FrameMode mode;
        using (_lock.Hold())
        {
            if (_mode is not { } shown)
                return null;
            (host, mode) = (_host, shown);
        }

        uint[] pixels = new uint[mode.Width * mode.Height];
        for (int y = 0; y < mode.Height; y++)
        {
            // SAFETY: a mode that was set lies within the memory.
            ReadOnlySpan<byte> line = new((byte*)host + mode.Offset + ((nint)y * mode.Pitch), mode.Width * mode.BytesPerPixel);
            Unpack(line, mode.BitsPerPixel, pixels.AsSpan(y * mode.Width, mode.Width));
        }

        return new(mode.Width, mode.Height, pixels);
    }

    private static void Unpack(ReadOnlySpan<byte> line, int bits, Span<uint> pixels)
    {
        switch (bits)
        {
            case 32:
                ReadOnlySpan<uint> dots = MemoryMarshal.Cast<byte, uint>(line);
                for (int x = 0; x < pixels.Length; x++)
                    pixels[x] = dots[x] & 0xff_ffff;
                break;
            case 24:
                for (int x = 0; x < pixels.Length; x++)
                    pixels[x] = (uint)(line[3 * x] | (line[(3 * x) + 1] << 8) | (line[(3 * x) + 2] << 16));
                break;
            default:
                int greens = bits == 16 ? 6 : 5;
                for (int x = 0; x < pixels.Length; x++)
                {
                    int dot = line[2 * x] | (line[(2 * x) + 1] << 8);
                    pixels[x] = (Widened(dot >> (5 + greens), 5) << 16) | (Widened(dot >> 5, greens) << 8) | Widened(dot, 5);
                }

                break;
        }
    }

    /// <summary>A colour's lowest bits as eight: all ones stay all ones.</summary>
    private static uint Widened(int value, int bits)
    {
        int colour = value & ((1 << bits) - 1);
        return (uint)((colour << (8 - bits)) | (colour >> ((2 * bits) - 8)));
    }
}
