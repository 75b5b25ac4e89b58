namespace MiniVmm.Pci;

/// <summary>A capability in a function's list (PCI Local Bus 3.0, 6.7).</summary>
/// <param name="id">Its ID.</param>
/// <param name="length">Bytes with ID and pointer to the next.</param>
internal abstract class PciCapability(byte id, int length)
{
    public byte Id => id;

    public int Length => length;

    /// <summary>Its first byte in configuration space.</summary>
    public int Offset { get; set; }

    /// <summary>Gives its first bytes; ID and pointer are the list's.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="writable">The bits that a guest can write.</param>
    public abstract void Initialize(Span<byte> bytes, Span<byte> writable);

    /// <summary>Some of it is about to be read: the last moment to change <paramref name="bytes"/>.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="first">First byte that is read, from its start; 0 if it is read from before that.</param>
    /// <param name="end">First byte that is not.</param>
    public virtual void Reading(Span<byte> bytes, int first, int end)
    {
    }

    /// <summary>Some of it was written.</summary>
    public virtual void Written(ReadOnlySpan<byte> bytes, int first, int end)
    {
    }

    /// <summary>All of it is that of a saved state.</summary>
    public virtual void Restored(ReadOnlySpan<byte> bytes)
    {
    }
}
