using System.Text;
using MiniVmm.Boot;
using MiniVmm.Memory;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>The plan for people: what would be built, and where everything would lie.</summary>
public sealed partial class MachinePlan
{
    /// <summary>Kernel, entry, processors and RAM: a word for each and what there is to say; the word is empty where it goes on.</summary>
    public IEnumerable<(string Word, string Text)> Facts
    {
        get
        {
            yield return Options.Firmware is { } firmware
                ? ("firmware", $"{firmware}: {Boot.Format}")
                : ("kernel", $"{Options.Kernel}: {Boot.Format}");
            foreach (string note in Boot.Notes)
                yield return ("", note);
            yield return ("entry", $"{Boot.Entry.Mode}, rip 0x{Boot.Entry.Rip:x}");
            yield return ("vCPUs", Options.Topology.ToString());
            IEnumerable<uint> apicIds = Enumerable.Range(0, Options.Topology.MaxCpus).Select(Options.Topology.ApicId);
            yield return ("APIC ids", string.Join(' ', apicIds));
            yield return ("CPU model", Options.Cpu.Text);
            string backing = Options.Memory.Path is { } path ? $" in {path}" : "";
            yield return ("RAM", ByteSize.Format(Memory.Size) + backing);
            if (Memory.Pluggable is { } region)
            {
                yield return ("", $"up to {ByteSize.Format(Memory.Size + region.MostBytes)}, in blocks of "
                    + $"{ByteSize.Format(region.BlockSize)}");
            }

            if (Boot.Framebuffer is { } screen)
                yield return ("framebuffer", $"{screen.Width}×{screen.Height} dots of {FramebufferInfo.BitsPerPixel} bits");
            string word = "PCI";
            foreach (VirtioPciSlot slot in Virtio.OfType<VirtioPciSlot>())
            {
                yield return (word, $"{slot.Slot}: {slot.Name}");
                word = "";
            }

            foreach (PassthroughSlot slot in Passthrough)
            {
                yield return (word, $"{slot.Slot}: {slot.Name}, the host's {slot.Options.Host}");
                word = "";
            }
        }
    }

    /// <summary>The words of Linux' own list at its start.</summary>
    private static string Word(E820Type type) => type switch
    {
        E820Type.Ram => "usable",
        E820Type.Reserved => "reserved",
        E820Type.Acpi => "ACPI data",
        _ => "ACPI NVS",
    };

    /// <summary>What lies where in guest-physical memory, ascending, what holds others before them.</summary>
    public IEnumerable<(GuestRange Range, string What)> Map => Memory.E820
        .Select(entry => (entry.Range, What: $"e820: {Word(entry.Type)}"))
        .Concat(Boot.Segments
            .Select(segment => (Range: new GuestRange(segment.Address, segment.MemorySize), What: $"  {segment.Name}")))
        .Concat(Virtio.OfType<VirtioMmioSlot>().Select(slot =>
            (Range: new GuestRange(slot.Address, VirtioMmio.Length), What: $"virtio-mmio: {slot.Name}, GSI {slot.Gsi}")))
        .Concat(Memory.Pluggable is { } region ? [(region.Range, "virtio-mem: RAM that comes")] : [])
        .Concat(Boot.Framebuffer is { } screen
            ? [(new(screen.Address, MemoryLayout.FramebufferSize), "framebuffer")]
            : Array.Empty<(GuestRange Range, string What)>())
        .Concat(PciRoot is { } pci
            ?
            [
                (pci.Memory, "PCI: memory of devices"),
                .. pci.ConfigurationSpace is { } space
                    ? [(space, "PCI: configuration space")]
                    : Array.Empty<(GuestRange Range, string What)>(),
                (pci.HighMemory, "PCI: memory of devices"),
            ]
            : Array.Empty<(GuestRange Range, string What)>())
        .Concat(FirmwareImage.IsEmpty ? [] : [(MiniVmm.Boot.FirmwareImage.Place((ulong)FirmwareImage.Length), "firmware")])
        .OrderBy(row => row.Range.Start)
        .ThenByDescending(row => row.Range.Length);

    /// <summary><see cref="Facts"/> and <see cref="Map"/>, in lines.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach ((string word, string fact) in Facts)
            text.Append($"{word,-12}{fact}\n");
        foreach ((GuestRange range, string what) in Map)
            text.Append($"{range}  {what}\n");
        return text.ToString();
    }
}
