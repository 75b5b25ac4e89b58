using System.Runtime.InteropServices;

namespace MiniVmm.Assist;

/// <summary>Fields of an image in XSAVE's standard format (SDM vol. 1, 13.4).</summary>
internal static class XsaveImage
{
    public const int StatusWordAt = 2;
    public const int PointersAt = 8; // of the last x87 instruction and operand
    public const int MxcsrAt = 24;
    public const int XmmAt = 160;
    public const int XmmEnd = 416;
    public const int XstateBvAt = XsaveLayout.HeaderAt;
    public const int XcompBvAt = XsaveLayout.HeaderAt + 8;

    /// <summary>MXCSR after a reset.</summary>
    public const uint InitialMxcsr = 0x1f80;

    private const int MxcsrMaskAt = 28;
    private const uint OldMxcsrMask = 0xffbf; // SDM vol. 1, 11.6.6
    private const ushort InitialControlWord = 0x37f;

    /// <summary>The x87 status word, FSW.</summary>
    public static ushort StatusWord(ReadOnlySpan<byte> image) => MemoryMarshal.Read<ushort>(image[StatusWordAt..]);

    public static uint Mxcsr(ReadOnlySpan<byte> image) => MemoryMarshal.Read<uint>(image[MxcsrAt..]);

    /// <summary>Bits that MXCSR may have.</summary>
    public static uint MxcsrMask(ReadOnlySpan<byte> image) =>
        MemoryMarshal.Read<uint>(image[MxcsrMaskAt..]) is var mask && mask != 0 ? mask : OldMxcsrMask;

    public static ulong XstateBv(ReadOnlySpan<byte> image) => MemoryMarshal.Read<ulong>(image[XstateBvAt..]);

    public static ulong XcompBv(ReadOnlySpan<byte> image) => MemoryMarshal.Read<ulong>(image[XcompBvAt..]);

    public static void Write<T>(Span<byte> image, int at, T value)
        where T : unmanaged => MemoryMarshal.Write(image[at..], value);

    /// <summary>The x87 state of FNINIT, with empty registers.</summary>
    public static void InitializeX87(Span<byte> image)
    {
        image[..MxcsrAt].Clear();
        image[32..XmmAt].Clear();
        Write(image, 0, InitialControlWord);
    }

    /// <summary>The x87 state of one image in another.</summary>
    public static void CopyX87(ReadOnlySpan<byte> from, Span<byte> to)
    {
        from[..MxcsrAt].CopyTo(to);
        from[32..XmmAt].CopyTo(to[32..]);
    }
}
