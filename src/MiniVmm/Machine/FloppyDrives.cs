using MiniVmm.Devices;
using MiniVmm.Floppy;
using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>The floppy drives of a machine, with the controllers of floppies and of DMA, and a thread for them.</summary>
internal sealed class FloppyDrives : IDisposable
{
    private const int MostDrives = 2;

    /// <summary>CMOS memory: kinds of both drives, and equipment.</summary>
    private const byte DriveKinds = 0x10, Equipment = 0x14;

    /// <summary>Of a drive A that has no disk, beside a B that has one: 1440 KiB.</summary>
    private const byte EmptyKind = 4;

    private readonly List<IDisposable> _opened = [];
    private readonly DeviceThread _thread;

    /// <summary>Opens the disks, and puts the controllers on the bus.</summary>
    /// <param name="core">Where registers and interrupts go.</param>
    /// <param name="options">Which disks.</param>
    /// <param name="warn">Takes a line where an image is damaged, or the controller fails.</param>
    /// <exception cref="BadInputException">A file cannot be used.</exception>
    /// <exception cref="SystemCallException">No more files.</exception>
    public FloppyDrives(MachineCore core, MachineOptions options, Action<OptionMessage> warn)
    {
        _thread = new DeviceThread("floppy");
        try
        {
            FloppyDrive?[] drives = [.. Place(options).Select(disk => Open(disk, warn))];
            DmaController dma = new(core.Memory.Ram);
            FloppyController? controller = null;
            EventFd doorbell = _thread.AddDoorbell(() => controller!.Serve());
            _thread.Failed = failure => warn($"the floppy controller stopped: {failure.Message}");
            controller = new FloppyController(
                drives[0], drives[1], dma, core.ConnectLevel(IoPorts.FloppyIrq), doorbell.Signal);
            core.Ports.Add(controller.Ports, "floppy controller", IoPorts.Floppy, FloppyController.Length);
            core.Ports.Add(FloppyController.ChangePort, "floppy change line", IoPorts.FloppyChange, 1);
            core.Ports.Add(dma.Registers, "DMA controller", IoPorts.Dma, 16);
            core.Ports.Add(dma.Pages, "DMA pages", IoPorts.DmaPages, 3);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <exception cref="BadInputException">Too many disks, a place that cannot be had, or no firmware to use them.</exception>
    public static void Check(MachineOptions options)
    {
        if (Array.Find(Place(options), disk => disk is not null) is { } first && options.Firmware is null)
            throw new BadInputException($"{first.Subject}: a floppy drive is for firmware; give that with {OptionName.Firmware}");
    }

    /// <summary>Notes the drives in CMOS memory, where firmware looks for them.</summary>
    public static void Tell(Rtc cmos, MachineOptions options)
    {
        DiskOptions?[] disks = Place(options);
        int first = disks[0] is { } a ? Format(a).CmosType : EmptyKind;
        int second = disks[1] is { } b ? Format(b).CmosType : 0;
        cmos.Preset(DriveKinds, (byte)((first << 4) | second));
        cmos.Preset(Equipment, (byte)(0x07 | (second != 0 ? 0x40 : 0))); // drives, FPU, mouse
    }

    /// <exception cref="HostLimitException">No more threads.</exception>
    public void Start() => _thread.Start();

    /// <summary>Waits until no drive is at work, and keeps it so until <see cref="Resume"/>.</summary>
    public void Park() => _thread.Park();

    public void Resume() => _thread.Resume();

    public void Dispose()
    {
        _thread.Dispose();
        _opened.ForEach(part => part.Dispose());
        _opened.Clear();
    }

    private static FloppyFormat Format(DiskOptions disk) => FormatOf(disk, (ulong)new FileInfo(disk.File).Length);

    private static FloppyFormat FormatOf(DiskOptions disk, ulong length) => FloppyFormat.Of(length)
        ?? throw new BadInputException($"{disk.Subject}: {ByteSize.Format(length)} are more than a floppy has, 2880 KiB");

    /// <summary>The disks in drives A and B; null where there is none.</summary>
    private static DiskOptions?[] Place(MachineOptions options)
    {
        DiskOptions?[] drives = DrivePlaces.Named(options.Floppies, MostDrives, "the floppy controller");
        foreach (DiskOptions disk in options.Floppies.Where(disk => disk.Place is null))
        {
            int free = Array.IndexOf(drives, null);
            if (free < 0)
                throw new BadInputException($"{disk.Subject}: a machine has {MostDrives} floppy drives at most");
            drives[free] = disk;
        }

        return drives;
    }

    private FloppyDrive? Open(DiskOptions? disk, Action<OptionMessage> warn)
    {
        if (disk is null)
            return null;
        IDiskImage image = DiskImage.Open(disk, warn);
        _opened.Add(image); // until a drive has it
        FloppyDrive drive = new(image, FormatOf(disk, image.Length));
        _opened[^1] = drive;
        return drive;
    }
}
