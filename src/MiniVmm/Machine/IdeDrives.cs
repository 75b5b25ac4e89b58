using System.Globalization;
using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Ide;
using MiniVmm.Pci;
using MiniVmm.Storage;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>
/// The IDE drives of a machine on their two channels, each with a thread if it has a drive. Those that name no place take what is left: hard
/// disks the first places, CD-ROM drives those from the second channel on, as QEMU's -hda and -cdrom.
/// </summary>
internal sealed class IdeDrives : IDisposable
{
    private const int Places = 4; // two a channel
    private static readonly int[] DiskPlaces = [0, 1, 2, 3];
    private static readonly int[] CdPlaces = [2, 3, 1, 0];
    private readonly List<DeviceThread> _threads = [];
    private readonly List<IDisposable> _opened = [];

    /// <summary>Opens the drives, and puts the channels on the bus.</summary>
    /// <param name="core">Where registers and interrupts go.</param>
    /// <param name="pci">The bus of firmware's chipset; null for a machine that has the channels alone.</param>
    /// <param name="options">Which drives.</param>
    /// <param name="warn">Takes a line where an image is damaged, or a drive fails.</param>
    /// <exception cref="BadInputException">A file cannot be used.</exception>
    /// <exception cref="SystemCallException">No more files.</exception>
    public IdeDrives(MachineCore core, PciBus? pci, MachineOptions options, Action<OptionMessage> warn)
    {
        try
        {
            DiskOptions?[] places = Place(options);
            IdeDrive?[] drives = [.. places.Index().Select(place => Open(place.Item, place.Index, warn))];
            IdeChannel primary = Connect("ide0", core, drives[0], drives[1], IoPorts.IdePrimaryIrq, warn);
            IdeChannel secondary = Connect("ide1", core, drives[2], drives[3], IoPorts.IdeSecondaryIrq, warn);
            IdeController.AddPorts(core.Ports, primary, secondary);
            if (pci is not null)
                pci.Add(I440Fx.IdeSlot, IdeController.CreateFunction(core.Ports, pci.Decoding, primary, secondary));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <exception cref="BadInputException">More drives than there are places, or a place that cannot be had.</exception>
    public static void Check(MachineOptions options) => Place(options);

    /// <exception cref="HostLimitException">No more threads.</exception>
    public void Start() => _threads.ForEach(thread => thread.Start());

    /// <summary>Waits until no drive is at work, and keeps it so until <see cref="Resume"/>.</summary>
    public void Park() => _threads.ForEach(thread => thread.Park());

    public void Resume() => _threads.ForEach(thread => thread.Resume());

    public void Dispose()
    {
        _threads.ForEach(thread => thread.Dispose());
        _opened.ForEach(part => part.Dispose());
        _threads.Clear();
        _opened.Clear();
    }

    /// <summary>The drives in their places: those of the first channel, then those of the second; null where there is none.</summary>
    /// <exception cref="BadInputException">More drives than there are places, or a place that cannot be had.</exception>
    public static DiskOptions?[] Place(MachineOptions options)
    {
        DiskOptions?[] places = DrivePlaces.Named(options.Disks.Where(IsOurs), Places, "IDE");
        foreach (DiskInterface kind in (DiskInterface[])[DiskInterface.Ide, DiskInterface.Cdrom])
        {
            foreach (DiskOptions drive in options.Disks.Where(disk => disk.Interface == kind && disk.Place is null))
            {
                int[] order = kind == DiskInterface.Cdrom ? CdPlaces : DiskPlaces;
                int free = Array.Find(order, place => places[place] is null);
                if (places[free] is not null)
                    throw new BadInputException($"{drive.Subject}: IDE has room for {Places} drives, and they are all taken");
                places[free] = drive;
            }
        }

        return places;
    }

    private static bool IsOurs(DiskOptions disk) => disk.Interface is DiskInterface.Ide or DiskInterface.Cdrom;

    private IdeDrive? Open(DiskOptions? options, int place, Action<OptionMessage> warn)
    {
        if (options is null)
            return null;
        IDiskImage image = DiskImage.Open(options, warn);
        _opened.Add(image); // until a drive has it
        string serial = options.Serial ?? string.Create(CultureInfo.InvariantCulture, $"MV{place + 1:D5}");
        if (options.Interface == DiskInterface.Cdrom && image.Length < AtapiCd.SectorSize)
            throw new BadInputException($"{options.Subject}: {image.Length} bytes are no disc, which has sectors of {AtapiCd.SectorSize}");
        IdeDrive drive = options.Interface == DiskInterface.Cdrom ? new AtapiCd(image, serial) : new AtaDisk(image, serial);
        _opened[^1] = drive;
        return drive;
    }

    private IdeChannel Connect(
        string name, MachineCore core, IdeDrive? first, IdeDrive? second, byte irq, Action<OptionMessage> warn)
    {
        ILevelInterrupt line = core.ConnectLevel(irq);
        if (first is null && second is null)
            return new IdeChannel(null, null, line, core.Memory.Ram, () => { });
        DeviceThread thread = new(name);
        _threads.Add(thread);
        IdeChannel? channel = null;
        EventFd doorbell = thread.AddDoorbell(() => channel!.Serve());
        thread.Failed = failure => warn($"{name} stopped: {failure.Message}");
        return channel = new IdeChannel(first, second, line, core.Memory.Ram, doorbell.Signal);
    }
}
