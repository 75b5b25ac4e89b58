using System.Runtime.InteropServices;

namespace MiniVmm.Host;

/// <summary>
/// A piece of memory, laid out as the kernel's struct iovec: an array of them goes to preadv(2) or readv(2) as it is.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct IoVector(byte* @base, ulong length)
{
    /// <summary>Host virtual address.</summary>
    public byte* Base = @base;

    /// <summary>Bytes; never 0 in what a driver gave.</summary>
    public ulong Length = length;

    /// <summary>The bytes, where there are no more than a span can hold.</summary>
    /// <exception cref="OverflowException">There are more.</exception>
    public readonly Span<byte> Span => new(Base, checked((int)Length));

    /// <summary>Bytes of all pieces.</summary>
    public static ulong Total(ReadOnlySpan<IoVector> pieces)
    {
        ulong total = 0;
        foreach (ref readonly IoVector piece in pieces)
            total += piece.Length;
        return total;
    }

    /// <summary>Makes pieces zeroes.</summary>
    public static void Clear(ReadOnlySpan<IoVector> pieces)
    {
        foreach (ref readonly IoVector piece in pieces)
            NativeMemory.Clear(piece.Base, (nuint)piece.Length);
    }
}
