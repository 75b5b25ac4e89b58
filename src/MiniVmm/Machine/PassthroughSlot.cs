using MiniVmm.Passthrough;
using MiniVmm.Pci;

namespace MiniVmm.Machine;

/// <summary>Where the guest finds a device of the host's.</summary>
/// <param name="Name">For people: "vfio0".</param>
/// <param name="Slot">Its place on the guest's bus.</param>
/// <param name="Options">Which device.</param>
internal sealed record PassthroughSlot(string Name, PciSlot Slot, PassthroughOptions Options)
{
    /// <summary>Gives each device the next place behind the virtio devices.</summary>
    /// <exception cref="BadInputException">
    /// One is asked for twice, there are too many, or memory is to be taken from a guest whose devices may be writing to it.
    /// </exception>
    public static IReadOnlyList<PassthroughSlot> For(MachineOptions options, IReadOnlyList<VirtioSlot> virtio)
    {
        List<PassthroughSlot> slots = [];
        int first = virtio.OfType<VirtioPciSlot>().Count();
        foreach (PassthroughOptions device in options.Passthrough)
        {
            if (slots.Exists(slot => slot.Options.Host == device.Host))
                throw new BadInputException($"{device.Subject}: is given twice");

            // A page that the balloon or free page reporting discards is another one when the guest has it back, while
            // the IOMMU, and so the device, still has the old one.
            if (options.Balloon is not null)
            {
                throw new BadInputException($"{OptionName.Balloon}: not together with {device.Subject}, whose DMA needs all of guest "
                    + $"RAM where it is; leave out one of them");
            }

            slots.Add(new($"vfio{slots.Count}", PciSlot.Of(first + slots.Count, options.FirstPciDevice), device));
        }

        return slots;
    }
}
