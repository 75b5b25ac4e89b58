using System.Globalization;
using MiniVmm.Devices;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>Where a virtio device is found.</summary>
/// <param name="Name">For people: "disk0", "net1".</param>
internal abstract record VirtioSlot(string Name)
{
    /// <summary>Gives each device the next slot of the transport that was asked for.</summary>
    /// <exception cref="BadInputException">More devices than there is room for.</exception>
    public static IReadOnlyList<VirtioSlot> For(MachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.VirtioPlace == VirtioBus.Pci
            ? [.. options.VirtioDevices.Select((name, index) => new VirtioPciSlot(name, PciSlot.Of(index, options.FirstPciDevice)))]
            : VirtioMmioSlot.For(options);
    }
}

/// <summary>A function on the PCI bus, where the guest finds it by itself.</summary>
/// <param name="Name">For people.</param>
/// <param name="Slot">Its place.</param>
internal sealed record VirtioPciSlot(string Name, PciSlot Slot) : VirtioSlot(Name);

/// <summary>Registers in memory: its window, its interrupt line, and what tells the guest of both.</summary>
/// <param name="Index">0 for the first device.</param>
/// <param name="Name">For people.</param>
/// <param name="Gsi">Its interrupt line, edge-triggered.</param>
internal sealed record VirtioMmioSlot(int Index, string Name, byte Gsi) : VirtioSlot(Name)
{
    private static readonly string[] WithoutAcpi = ["acpi=off", "acpi=ht"];
    private static readonly string[] WithoutIoApic = ["noapic", "nolapic", "disableapic"];

    /// <summary>First address of its registers.</summary>
    public ulong Address => MemoryLayout.VirtioMmio + ((ulong)Index * VirtioMmio.Length);

    /// <summary>For the DSDT: the ID that Linux gave to virtio-mmio.</summary>
    public AmlDevice Aml => new(string.Create(CultureInfo.InvariantCulture, $"VI{Index:D2}"), "LNRO0005", (uint)Index)
    {
        Resources = new ResourceTemplate()
            .Memory32((uint)Address, VirtioMmio.Length)
            .Interrupt(Gsi, TriggerMode.Edge),
    };

    /// <summary>For kernels without ACPI: the parameter of Linux' virtio_mmio module.</summary>
    public string Parameter =>
        string.Create(CultureInfo.InvariantCulture, $"virtio_mmio.device=4K@0x{Address:x}:{Gsi}:{Index}");

    /// <summary>Gives each device the next slot.</summary>
    /// <remarks>
    /// A kernel that learns of its devices from its command line may have no I/O APIC either: they get the lines of the
    /// 8259s as long as there are any. Behind ACPI those come last, since a kernel with ACPI has an I/O APIC.
    /// </remarks>
    /// <exception cref="BadInputException">More devices than interrupt lines.</exception>
    public static new IReadOnlyList<VirtioMmioSlot> For(MachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        string[] names = [.. options.VirtioDevices];
        bool only8259 = Says(options, WithoutIoApic);
        IEnumerable<byte> taken = options.Devices.Select(device => device.Interrupt).OfType<byte>();
        if (options.HasPci)
            taken = [.. taken, .. InterruptWiring.PciLines, .. InterruptWiring.PciIsaLines];
        if (options.HasIde)
            taken = [.. taken, IoPorts.IdePrimaryIrq, IoPorts.IdeSecondaryIrq];
        if (options.Vnc is not null)
            taken = [.. taken, IoPorts.MouseIrq];
        if (options.Topology.CanChange)
            taken = [.. taken, IoPorts.CpuHotPlugIrq];
        byte[] lines = only8259 ? [.. InterruptWiring.FreeIsaLines]
            : AreNamed(options) ? [.. InterruptWiring.FreeIsaLines, .. InterruptWiring.IoApicLines]
            : [.. InterruptWiring.IoApicLines, .. InterruptWiring.FreeIsaLines];
        lines = [.. lines.Except(taken)];
        return names.Length <= lines.Length
            ? [.. names.Select((name, index) => new VirtioMmioSlot(index, name, lines[index]))]
            : throw new BadInputException(
                $"{names.Length} virtio devices: there are interrupt lines for {lines.Length}"
                + (only8259 ? " without an I/O APIC, which the kernel's command line switches off" : "")
                + $"; leave out {names.Length - lines.Length}");
    }

    /// <summary>
    /// The kernel's command line, with the devices in front if it has no other way to learn of them: what comes behind
    /// a "--" would be init's.
    /// </summary>
    public static string IntoCommandLine(IEnumerable<VirtioMmioSlot> slots, MachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return AreNamed(options)
            ? string.Join(' ', slots.Select(slot => slot.Parameter).Append(options.CommandLine)).TrimEnd()
            : options.CommandLine;
    }

    private static bool AreNamed(MachineOptions options) => options.VirtioOnCommandLine || Says(options, WithoutAcpi);

    private static bool Says(MachineOptions options, string[] words) =>
        options.CommandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries).Any(words.Contains);
}
