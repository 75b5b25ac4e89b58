namespace MiniVmm.Memory;

/// <summary>A half-open range of guest-physical addresses, [Start, End).</summary>
public readonly record struct GuestRange(ulong Start, ulong Length)
{
    /// <summary>First address after the range.</summary>
    public ulong End => Start + Length;

    /// <summary>
    /// Whether the <paramref name="length"/> bytes at <paramref name="address"/> all lie inside; never overflows.
    /// </summary>
    public bool Contains(ulong address, ulong length) =>
        address >= Start && length <= Length && address - Start <= Length - length;

    /// <summary>
    /// Whether the two share a byte. Right at the top of the address space too, where <see cref="End"/> is 0.
    /// </summary>
    public bool Overlaps(GuestRange other) =>
        Length != 0 && other.Length != 0
        && (Start <= other.Start ? other.Start - Start < Length : Start - other.Start < other.Length);

    public override string ToString() => $"0x{Start:x}-0x{End - 1:x}";
}
