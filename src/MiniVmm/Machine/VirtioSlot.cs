using System.Globalization;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>Where a virtio device is found: its window, its interrupt line, and what tells the guest of both.</summary>
/// <param name="Index">0 for the first device.</param>
/// <param name="Name">For people: "disk0", "net1".</param>
public sealed record VirtioSlot(int Index, string Name)
{
    /// <summary>As many devices as there are interrupt lines.</summary>
    public static int Most => InterruptWiring.FreeLines.Count;

    /// <summary>First address of its registers.</summary>
    public ulong Address => MemoryLayout.VirtioMmio + ((ulong)Index * VirtioMmio.Length);

    /// <summary>Its interrupt line, edge-triggered.</summary>
    public byte Gsi => InterruptWiring.FreeLines[Index];

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
    /// <param name="names">The devices, for people.</param>
    /// <exception cref="BadInputException">More devices than slots.</exception>
    public static IReadOnlyList<VirtioSlot> For(IEnumerable<string> names)
    {
        VirtioSlot[] slots = [.. names.Select((name, index) => new VirtioSlot(index, name))];
        return slots.Length <= Most
            ? slots
            : throw new BadInputException(
                $"{slots.Length} virtio devices: there are interrupt lines for {Most}; leave out {slots.Length - Most}");
    }

    /// <summary>
    /// The kernel's command line, with the devices in front if it has no other way to learn of them: what comes behind
    /// a "--" would be init's.
    /// </summary>
    public static string IntoCommandLine(IReadOnlyList<VirtioSlot> slots, MachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        string[] words = options.CommandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        bool named = options.VirtioOnCommandLine || words.Contains("acpi=off") || words.Contains("acpi=ht");
        return named
            ? string.Join(' ', slots.Select(slot => slot.Parameter).Append(options.CommandLine)).TrimEnd()
            : options.CommandLine;
    }
}
