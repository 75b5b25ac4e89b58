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
            FloppyDrive[] drives = [.. options.Floppies.Select(disk => Open(disk, warn))];
            DmaController dma = new(core.Memory.Ram);
            FloppyController? controller = null;
            EventFd doorbell = _thread.AddDoorbell(() => controller!.Serve());
            _thread.Failed = failure => warn($"the floppy controller stopped: {failure.Message}");
            controller = new FloppyController(
                drives[0], drives.ElementAtOrDefault(1), dma, core.ConnectLevel(IoPorts.FloppyIrq), doorbell.Signal);
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

    /// <exception cref="BadInputException">Too many disks, or no firmware to use them.</exception>
    public static void Check(MachineOptions options)
    {
        DiskOptions[] disks = [.. options.Floppies];
        if (disks.Length > MostDrives)
            throw new BadInputException($"{disks[MostDrives].Subject}: a machine has {MostDrives} floppy drives at most");
        if (disks.Length > 0 && options.Firmware is null)
            throw new BadInputException($"{disks[0].Subject}: a floppy drive is for firmware; give that with {OptionName.Firmware}");
    }

    /// <summary>Notes the drives in CMOS memory, where firmware looks for them.</summary>
    public static void Tell(Rtc cmos, MachineOptions options)
    {
        byte[] kinds = [.. options.Floppies.Select(disk => Format(disk).CmosType)];
        cmos.Preset(DriveKinds, (byte)((kinds[0] << 4) | kinds.ElementAtOrDefault(1)));
        cmos.Preset(Equipment, (byte)(0x07 | ((kinds.Length - 1) << 6))); // drives, FPU, mouse
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

    private FloppyDrive Open(DiskOptions disk, Action<OptionMessage> warn)
    {
        IDiskImage image = DiskImage.Open(disk, warn);
        _opened.Add(image); // until a drive has it
        FloppyDrive drive = new(image, FormatOf(disk, image.Length));
        _opened[^1] = drive;
        return drive;
    }
}
