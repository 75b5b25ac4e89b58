using MiniVmm.Memory;

namespace MiniVmm.Pci;

/// <summary>What a base address register's low bits say (PCI Local Bus 3.0, 6.2.5.1).</summary>
internal enum PciBarKind : byte
{
    /// <summary>Memory anywhere below 4 GiB.</summary>
    Memory32 = 0x0,

    /// <summary>I/O ports.</summary>
    Ports = 0x1,

    /// <summary>Memory anywhere; takes two registers.</summary>
    Memory64 = 0x4,

    /// <summary>The same, without side effects of reads.</summary>
    Prefetchable64 = 0xc,
}

/// <summary>What is behind a BAR: told where it is found from now on. One call at a time.</summary>
internal interface IPciBarTarget
{
    /// <summary>The registers are at this address, which nothing else of the machine decodes.</summary>
    void Map(ulong address);

    /// <summary>They are there no more.</summary>
    void Unmap(ulong address);
}

/// <summary>A base address register of a function.</summary>
/// <param name="index">0 to 5, the first of its two for 64 bits.</param>
/// <param name="kind">Its kind.</param>
/// <param name="size">Bytes or ports, a power of two: at least 16 of memory, 4 ports.</param>
/// <param name="target">What is behind it.</param>
internal sealed class PciBar(int index, PciBarKind kind, ulong size, IPciBarTarget target)
{
    public int Index => index;

    public PciBarKind Kind => kind;

    public ulong Size => size;

    public IPciBarTarget Target => target;

    public bool IsPort => kind == PciBarKind.Ports;

    public bool Is64Bit => kind is PciBarKind.Memory64 or PciBarKind.Prefetchable64;

    /// <summary>First byte of its registers in configuration space.</summary>
    public int Register => PciRegister.Bars + (index * sizeof(uint));

    /// <summary>Bytes of its registers.</summary>
    public int RegisterLength => Is64Bit ? sizeof(ulong) : sizeof(uint);

    /// <summary>The bits of an address that a guest can write; of ports 32 too, since SeaBIOS takes no fewer when it asks for the size.</summary>
    public ulong AddressMask => ~(size - 1) & (Is64Bit ? ulong.MaxValue : uint.MaxValue);

    /// <summary>The address that it gets at first, which the guest has been told otherwise too; null for any.</summary>
    public ulong? FixedAddress { get; init; }

    /// <summary>Where it is decoded now, or null.</summary>
    public ulong? MappedAt { get; set; }

    /// <summary>What it decodes at an address.</summary>
    public GuestRange At(ulong address) => new(address, size);
}
