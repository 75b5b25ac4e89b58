using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Pci;

/// <summary>The addresses that the host bridge passes on to its bus.</summary>
/// <param name="Ports">I/O ports.</param>
/// <param name="Memory">Memory below 4 GiB.</param>
/// <param name="HighMemory">Memory above all RAM.</param>
internal sealed record PciWindows(GuestRange Ports, GuestRange Memory, GuestRange HighMemory)
{
    /// <summary>For a bus with nothing on it: no addresses.</summary>
    public static PciWindows None { get; } = new(default, default, default);

    /// <summary>Those of a machine whose firmware lays them out: all that there is below the I/O APIC.</summary>
    /// <param name="lowRamEnd">First address above the RAM below 4 GiB.</param>
    /// <param name="ramEnd">First address above all RAM that it has or may get.</param>
    public static PciWindows ForFirmware(ulong lowRamEnd, ulong ramEnd)
    {
        ulong start = Math.Max(lowRamEnd, MemoryLayout.FirmwarePciMemory);
        return Above(ramEnd) with { Memory = new(start, MemoryLayout.IoApic - start) };
    }

    /// <summary>Those of a machine.</summary>
    /// <param name="ramEnd">First address above all RAM that it has or may get.</param>
    public static PciWindows Above(ulong ramEnd)
    {
        const ulong Size = MemoryLayout.PciHighMemorySize;
        return new(
            new(IoPorts.Pci, IoPorts.PciLength),
            new(MemoryLayout.PciMemory, MemoryLayout.PciMemorySize),
            new((ramEnd + (Size - 1)) & ~(Size - 1), Size));
    }
}
