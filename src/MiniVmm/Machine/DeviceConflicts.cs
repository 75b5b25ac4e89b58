using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Firmware;
using MiniVmm.Floppy;
using MiniVmm.Ide;
using MiniVmm.Memory;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>Whether a machine's devices leave each other, RAM and KVM's controllers alone.</summary>
internal static class DeviceConflicts
{
    private const ulong PageSize = 4096;

    /// <summary>What KVM serves itself in a machine like this.</summary>
    private static readonly (DeviceWindow Window, string Name)[] InKernel =
    [
        (DeviceWindow.Ports(0x20, 2), "the first 8259"),
        (DeviceWindow.Ports(0x40, 4), "the 8254"),
        (DeviceWindow.Ports(0x61, 1), "port 0x61"),
        (DeviceWindow.Ports(0xa0, 2), "the second 8259"),
        (DeviceWindow.Ports(0x4d0, 2), "the 8259s' edge and level control"),
        (DeviceWindow.Memory(MemoryLayout.IoApic, PageSize), "the I/O APIC"),
        (DeviceWindow.Memory(MemoryLayout.LocalApic, PageSize), "the local APICs"),
        (DeviceWindow.Memory(MemoryLayout.IdentityMap, MemoryLayout.Tss + (3 * PageSize) - MemoryLayout.IdentityMap), "KVM"),
    ];

    /// <summary>Lines that KVM's own devices or the wiring need: timer, cascade.</summary>
    private static readonly byte[] InKernelLines = [0, 2];

    /// <exception cref="BadInputException">Two want the same, or one wants what there is not.</exception>
    /// <param name="pc">The PC's devices, which fit where they are by default; the i8042's window has KVM's port 0x61 in it.</param>
    /// <param name="own">Those of one's own.</param>
    /// <param name="memory">Where RAM is.</param>
    /// <param name="virtio">The slots of virtio devices.</param>
    /// <param name="pci">The PCI bus; null for none.</param>
    /// <param name="hasIde">Whether there are IDE channels.</param>
    /// <param name="hasFloppy">Whether there is a floppy controller.</param>
    /// <param name="options">The machine, for what else it has; null for none of that.</param>
    public static void Check(
        IReadOnlyList<DeviceDescription> pc,
        IReadOnlyList<DeviceDescription> own,
        GuestMemoryMap memory,
        IReadOnlyList<VirtioSlot> virtio,
        PciRoot? pci = null,
        bool hasIde = false,
        bool hasFloppy = false,
        MachineOptions? options = null)
    {
        DeviceDescription[] moved = [.. pc.Where(IsMoved)];
        if (own.Count == 0 && moved.Length == 0)
            return;
        List<(DeviceWindow Window, string Name)> windows = [.. pc.Except(moved).Select(device => (device.Window, device.Name)), .. InKernel];
        windows.AddRange(memory.Ram.Select(ram => (DeviceWindow.Memory(ram.Start, ram.Length), "guest RAM")));
        if (memory.Pluggable is { Range: var more })
            windows.Add((DeviceWindow.Memory(more.Start, more.Length), "RAM that comes"));
        VirtioMmioSlot[] mmio = [.. virtio.OfType<VirtioMmioSlot>()];
        windows.AddRange(mmio.Select(slot => (DeviceWindow.Memory(slot.Address, VirtioMmio.Length), slot.Name)));
        Dictionary<byte, string> lines = InKernelLines.ToDictionary(line => line, _ => "the PC's timer or second 8259");
        foreach (VirtioMmioSlot slot in mmio)
            lines[slot.Gsi] = slot.Name;
        if (pci is not null)
            AddPci(pci, windows, lines);
        if (hasIde)
            AddIde(windows, lines);
        if (hasFloppy)
            AddFloppy(windows, lines);
        if (options is { BochsDisplay: true })
            windows.Add((DeviceWindow.Ports(BochsDispiPorts.First, BochsDispiPorts.Length), "bochs-display"));
        if (options is not null && FirmwareSetup.HasDebugPort(options))
            windows.Add((DeviceWindow.Ports(IoPorts.FirmwareDebug, 1), "firmware's debug port"));
        foreach (DeviceDescription device in moved)
        {
            if (windows.Find(other => Overlap(other.Window, device.Window)) is { Name: { } owner })
                throw new BadInputException($"{OptionName.Device}: {device.Name}: {device.Window} overlap those of {owner}; use another iobase=");
            windows.Add((device.Window, device.Name));
        }

        foreach (DeviceDescription device in pc)
        {
            if (device.Interrupt is { } line)
                lines[line] = device.Name;
        }

        foreach (DeviceDescription device in own)
        {
            CheckFits(device);
            if (windows.Find(other => Overlap(other.Window, device.Window)) is { Name: { } owner })
                throw new BadInputException($"{device.Name}: {device.Window} overlap those of {owner}");
            windows.Add((device.Window, device.Name));
            if (device.Interrupt is not { } gsi)
                continue;
            if (!lines.TryAdd(gsi, device.Name))
                throw new BadInputException($"{device.Name}: interrupt line {gsi} is that of {lines[gsi]}");
        }
    }

    /// <summary>Whether it is a device of the PC's whose ports are the user's choice, and not where it fits in any case.</summary>
    private static bool IsMoved(DeviceDescription device) => device.Name switch
    {
        PcPlatform.DebugConsoleName => device.Window.Start != IoPorts.DebugConsole,
        PcPlatform.DebugExitName => device.Window.Start != IoPorts.DebugExit,
        _ => false,
    };

    private static void AddPci(PciRoot pci, List<(DeviceWindow Window, string Name)> windows, Dictionary<byte, string> lines)
    {
        const string Name = "the PCI bus";
        windows.Add((new(IsPort: true, pci.Ports.Start, pci.Ports.Length), Name));
        foreach (GuestRange range in (GuestRange[])[pci.ConfigurationSpace ?? default, pci.Memory, pci.HighMemory])
            windows.Add((DeviceWindow.Memory(range.Start, range.Length), Name));
        foreach (byte line in (byte[])[.. InterruptWiring.PciLines, .. InterruptWiring.PciIsaLines])
            lines[line] = Name;
    }

    private static void AddIde(List<(DeviceWindow Window, string Name)> windows, Dictionary<byte, string> lines)
    {
        const string Name = "the IDE channels";
        windows.Add((DeviceWindow.Ports(IoPorts.IdePrimary, IdeChannel.CommandLength), Name));
        windows.Add((DeviceWindow.Ports(IoPorts.IdePrimaryControl, 1), Name));
        windows.Add((DeviceWindow.Ports(IoPorts.IdeSecondary, IdeChannel.CommandLength), Name));
        windows.Add((DeviceWindow.Ports(IoPorts.IdeSecondaryControl, 1), Name));
        lines[IoPorts.IdePrimaryIrq] = lines[IoPorts.IdeSecondaryIrq] = Name;
    }

    private static void AddFloppy(List<(DeviceWindow Window, string Name)> windows, Dictionary<byte, string> lines)
    {
        const string Name = "the floppy controller";
        windows.Add((DeviceWindow.Ports(IoPorts.Floppy, FloppyController.Length), Name));
        windows.Add((DeviceWindow.Ports(IoPorts.FloppyChange, 1), Name));
        windows.Add((DeviceWindow.Ports(IoPorts.Dma, 16), "the DMA controller"));
        windows.Add((DeviceWindow.Ports(IoPorts.DmaPages, 3), "the DMA controller"));
        lines[IoPorts.FloppyIrq] = Name;
    }

    private static void CheckFits(DeviceDescription device)
    {
        DeviceWindow window = device.Window;
        ulong limit = window.IsPort ? ushort.MaxValue : ulong.MaxValue - 1;
        if (window.Length == 0 || window.Start > limit || window.Length - 1 > limit - window.Start)
            throw new BadInputException($"{device.Name}: {window.Length} {(window.IsPort ? "ports" : "bytes")} at "
                + $"0x{window.Start:x} do not fit");
        if (device.Interrupt >= InterruptRouter.IoApicPins)
            throw new BadInputException($"{device.Name}: there is no interrupt line {device.Interrupt}; use 0 to 23");

        // Of descriptors that ACPI has for it, ours hold a byte of ports and addresses below 4 GiB.
        if (device.Acpi is not null && window is { IsPort: true, Length: > byte.MaxValue })
            throw new BadInputException($"{device.Name}: ACPI can tell of 255 ports at most, not of {window.Length}");
        if (device.Acpi is not null && !window.IsPort && window.Range.End > MemoryLayout.HighRam)
            throw new BadInputException($"{device.Name}: ACPI tells of windows below 4 GiB only; {window} is not");
    }

    private static bool Overlap(DeviceWindow one, DeviceWindow other) =>
        one.IsPort == other.IsPort && one.Range.Overlaps(other.Range);
}
