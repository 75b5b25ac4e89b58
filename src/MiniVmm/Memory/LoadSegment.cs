namespace MiniVmm.Memory;

/// <summary>Bytes that go to a guest-physical address before the first instruction runs.</summary>
/// <param name="Name">What it is, for people: "kernel text", "initrd", "ACPI tables".</param>
/// <param name="Address">Guest-physical address of the first byte.</param>
/// <param name="Data">The bytes; what follows up to <paramref name="MemorySize"/> is zero.</param>
/// <param name="MemorySize">Bytes of guest memory it takes; at least the length of <paramref name="Data"/>.</param>
public readonly record struct LoadSegment(string Name, ulong Address, ReadOnlyMemory<byte> Data, ulong MemorySize)
{
    public LoadSegment(string name, ulong address, ReadOnlyMemory<byte> data)
        : this(name, address, data, (ulong)data.Length)
    {
    }

    /// <summary>First address after the segment.</summary>
    public ulong End => Address + MemorySize;

    /// <summary>The guest memory that it takes.</summary>
    public GuestRange Range => new(Address, MemorySize);
}
