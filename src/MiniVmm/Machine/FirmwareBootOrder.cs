using System.Globalization;
using System.Text;
using MiniVmm.Storage;

namespace MiniVmm.Machine;

/// <summary>
/// Which disks firmware tries first, one by one: fw_cfg's file "bootorder", Open Firmware paths as QEMU gives them, one a line (SeaBIOS'
/// docs/Runtime_config.md; OVMF's QemuBootOrderLib).
/// </summary>
internal static class FirmwareBootOrder
{
    public const string FileName = "bootorder";

    /// <param name="options">The machine, with its disks.</param>
    /// <param name="virtio">Where its virtio devices are, in the order of <see cref="MachineOptions.VirtioDevices"/>: disks first.</param>
    /// <returns>The file; null where no disk has a place of its own.</returns>
    public static byte[]? Of(MachineOptions options, IReadOnlyList<VirtioSlot> virtio)
    {
        List<Entry> paths = [];
        int device = 0;
        foreach (DiskOptions disk in options.VirtioDisks)
        {
            if (virtio[device++] is VirtioPciSlot { Slot: var slot } && disk.BootIndex is { } index)
            {
                string function = slot.Function == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $",{slot.Function:x}");
                paths.Add(new(index, string.Create(CultureInfo.InvariantCulture, $"scsi@{slot.Device:x}{function}/disk@0,0")));
            }
        }

        DiskOptions?[] places = IdeDrives.Place(options);
        for (int place = 0; place < places.Length; place++)
        {
            if (places[place]?.BootIndex is { } index)
                paths.Add(new(index, string.Create(CultureInfo.InvariantCulture, $"ide@1,1/drive@{place / 2}/disk@{place % 2}")));
        }

        if (paths.Count == 0)
            return null;
        paths.Sort((one, other) => one.Index.CompareTo(other.Index));
        StringBuilder text = new();
        foreach (Entry entry in paths)
            text.Append(text.Length == 0 ? "" : "\n").Append("/pci@i0cf8/").Append(entry.Path);
        return Encoding.ASCII.GetBytes(text.Append('\0').ToString());
    }

    private sealed record Entry(ulong Index, string Path);
}
