using MiniVmm.Boot;
using MiniVmm.Boot.Media;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Execution;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Symbols;

namespace MiniVmm.Machine;

/// <summary>
/// A machine worked out in full before the host is asked for anything: where RAM lies, what is loaded where,
/// how the boot processor starts. What <c>--dry-run</c> shows, and what <see cref="VirtualMachine"/> builds.
/// </summary>
public sealed partial class MachinePlan : IDisposable
{
    private readonly IReadOnlyList<IDisposable> _files;

    private MachinePlan(
        MachineOptions options,
        BootImage boot,
        ReadOnlyMemory<byte> firmware,
        FirmwareCpus cpus,
        IReadOnlyList<DeviceDescription> devices,
        IReadOnlyList<VirtioSlot> virtio,
        IReadOnlyList<PassthroughSlot> passthrough,
        PciRoot? pciRoot,
        IReadOnlyList<IDisposable> files)
    {
        Devices = devices;
        Options = options;
        Boot = boot;
        FirmwareImage = firmware;
        Cpus = cpus;
        Virtio = virtio;
        Passthrough = passthrough;
        PciRoot = pciRoot;
        _files = files;
    }

    /// <summary>What the plan is of; not what was asked for, where <see cref="Remark"/> says so.</summary>
    public MachineOptions Options { get; }

    /// <summary>A line for the user where the machine is another than was asked for; null where it is not.</summary>
    public OptionMessage? Remark { get; private set; }

    /// <summary>The memory map as the guest is told it.</summary>
    public GuestMemoryMap Memory => Boot.Memory;

    internal BootImage Boot { get; }

    /// <summary>The firmware's image; empty for none.</summary>
    internal ReadOnlyMemory<byte> FirmwareImage { get; }

    /// <summary>The processors as the firmware tables list them.</summary>
    internal FirmwareCpus Cpus { get; }

    /// <summary>The devices on the buses: the PC's, and those of <see cref="MachineOptions.Devices"/>.</summary>
    public IReadOnlyList<DeviceDescription> Devices { get; }

    /// <summary>Where the guest finds its virtio devices, in the order of <see cref="MachineOptions.VirtioDevices"/>.</summary>
    internal IReadOnlyList<VirtioSlot> Virtio { get; }

    /// <summary>Where the guest finds the host's devices that it is given, in the order of <see cref="MachineOptions.Passthrough"/>.</summary>
    internal IReadOnlyList<PassthroughSlot> Passthrough { get; }

    /// <summary>The PCI bus as the firmware tables tell of it; null for none.</summary>
    internal PciRoot? PciRoot { get; }

    /// <summary>Reads the files and works everything out.</summary>
    /// <exception cref="BadInputException">A file or a size that cannot be used.</exception>
    public static MachinePlan Create(MachineOptions options) => Create(options, null);

    /// <inheritdoc cref="Create(MachineOptions)"/>
    /// <param name="options">The machine.</param>
    /// <param name="firmwareFolders">Where SeaBIOS may be; null for where distributions have it.</param>
    internal static MachinePlan Create(MachineOptions options, IReadOnlyList<string>? firmwareFolders)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options is { GdbWaits: true, Gdb: null })
            throw new BadInputException($"{OptionName.GdbWait}: nobody could let the guest go on; give {OptionName.Gdb} too");
        if (options.Symbols is { } symbols)
            SymbolFile.Check(symbols);
        try
        {
            return Build(options);
        }
        catch (BadInputException refusal) when (refusal.NoKernel is not null)
        {
            if (FirmwareFallback.For(options, refusal, firmwareFolders) is not { } instead)
                throw;
            return BuildInstead(instead, refusal);
        }
    }

    private static MachinePlan BuildInstead(MachineOptions instead, BadInputException refusal)
    {
        try
        {
            MachinePlan plan = Build(instead);
            plan.Remark = FirmwareFallback.Remark(instead, refusal);
            return plan;
        }
        catch (BadInputException second)
        {
            throw FirmwareFallback.Refusal(refusal, second);
        }
    }

    private static MachinePlan Build(MachineOptions options)
    {
        PinList.RequireOneFor(options.Topology.MaxCpus, options.Pin);
        GuestMemoryMap memory = GuestMemoryMap.Of(options.Memory);
        IReadOnlyList<VirtioSlot> virtio = VirtioSlot.For(options);
        IReadOnlyList<PassthroughSlot> passthrough = PassthroughSlot.For(options, virtio);
        FwCfgItems? fwCfg = options.HasFwCfg ? new() : null;
        IReadOnlyList<DeviceDescription> pc = PcPlatform.Devices(options, fwCfg);
        PciRoot? pciRoot = options.HasPci ? Root(memory, virtio, passthrough, options.Firmware is not null) : null;
        DeviceConflicts.Check(pc, options.Devices, memory, virtio, pciRoot, options.HasIde, options.Floppies.Any(), options);
        FirmwareSetup.Check(options);
        IdeDrives.Check(options);
        FloppyDrives.Check(options);
        IReadOnlyList<DeviceDescription> devices = [.. pc, .. options.Devices];
        VirtioMmioSlot[] mmio = [.. virtio.OfType<VirtioMmioSlot>()];
        IReadOnlyList<AmlDevice> aml =
        [
            .. devices.Select(AmlDevice.Of).OfType<AmlDevice>(),
            .. mmio.Select(slot => slot.Aml),
            .. options.Vnc is not null ? [Mouse] : Array.Empty<AmlDevice>(),
            .. pciRoot?.Claim is { } claim ? [claim] : Array.Empty<AmlDevice>(),
        ];
        FirmwareCpus cpus = new(Enumerable.Range(0, options.Topology.MaxCpus)
            .Select(i => new FirmwareCpu(options.Topology.ApicId(i), i < options.Topology.Count)));
        if (fwCfg is not null)
        {
            FwCfgMachine.Describe(fwCfg, memory, cpus);
            if (options.Firmware is not null)
            {
                FirmwareSetup.Describe(fwCfg, options, cpus, aml, pciRoot, memory);
                FirmwareKernel.Describe(fwCfg, options, memory);
                if (options.Kernel.Length == 0 && FirmwareBootOrder.Of(options, virtio) is { } order)
                    fwCfg.TryAddFile(FirmwareBootOrder.FileName, order);
            }

            if (options.Ramfb)
                fwCfg.TryAddFile(RamFramebuffer.File, new byte[RamFramebuffer.Length]);
            FwCfgFile.AddTo(fwCfg, options.FwCfg);
        }

        List<IDisposable> files = [];
        try
        {
            ReadOnlyMemory<byte> firmware = default;
            BootImage boot;
            if (options.Firmware is { } path)
            {
                NativeBuffer image = InputFile.Read(path, OptionName.Firmware);
                files.Add(image);
                firmware = image.Memory;
                boot = MiniVmm.Boot.FirmwareImage.Load(path, firmware, memory);
                if (options.FirmwareVariables is { } variables)
                    FirmwareVariables.CheckLength(variables, MiniVmm.Boot.FirmwareImage.Place((ulong)firmware.Length).Start);
            }
            else
            {
                using BootableImage? medium = options.Format == BinaryFormat.Auto ? BootableImage.Open(options.Kernel) : null;
                NativeBuffer? kernel = medium is null ? InputFile.Read(options.Kernel, OptionName.Kernel) : null;
                if (kernel is not null)
                    files.Add(kernel);
                BootRequest request = new()
                {
                    KernelName = options.Kernel,
                    Kernel = kernel?.Memory ?? default,
                    Initrds = Read(options.Initrds, OptionName.Initrd, files),
                    Modules = Read(options.Modules, OptionName.Module, files),
                    CommandLine = VirtioMmioSlot.IntoCommandLine(mmio, options),
                    Memory = memory,
                    Firmware = new(cpus, aml, pciRoot) { HasCom2 = options.Com2 is not null },
                    Framebuffer = new FramebufferOffer { IsAskedFor = options.BochsDisplay },
                    HasTextScreen = options.HasDisplay,
                    Decompression = options.Decompression,
                    Started = TimeProvider.System.GetUtcNow(),
                    Format = options.Format,
                    LoadAddress = options.LoadAddress,
                    Entry = options.Entry,
                };
                if (medium is not null)
                    request = medium.Request(request, files);
                boot = BootLoader.Load(request);
                boot = boot with { Notes = [.. request.Notes, .. boot.Notes] };
            }

            files.Add(boot);
            return new MachinePlan(options, boot, firmware, cpus, devices, virtio, passthrough, pciRoot, files);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <summary>Its ports are the keyboard's.</summary>
    private static AmlDevice Mouse => new("MOU", AmlDevice.MouseId, 0)
    {
        Resources = new ResourceTemplate().Irq(IoPorts.MouseIrq),
    };

    private static PciRoot Root(
        GuestMemoryMap memory, IReadOnlyList<VirtioSlot> virtio, IReadOnlyList<PassthroughSlot> passthrough, bool hasFirmware)
    {
        PciWindows windows = hasFirmware ? PciWindows.ForFirmware(memory.LowRamEnd, memory.End) : PciWindows.Above(memory.End);
        IEnumerable<int> devices = virtio.OfType<VirtioPciSlot>().Select(slot => slot.Slot.Device)
            .Concat(passthrough.Select(slot => slot.Slot.Device));
        return new(
            hasFirmware ? null : new(MemoryLayout.PciEcam, PciEcam.Length),
            windows.Ports,
            windows.Memory,
            windows.HighMemory,
            [.. devices.Distinct().Order()]);
    }

    private static List<BootModule> Read(IEnumerable<BootFile> modules, OptionName option, List<IDisposable> files)
    {
        List<BootModule> read = [];
        foreach (BootFile module in modules)
        {
            NativeBuffer file = InputFile.Read(module.Path, option);
            files.Add(file);
            read.Add(new(module, file.Memory));
        }

        return read;
    }

    /// <summary>
    /// Gives back the memory of the files and of the unpacked kernel; the segments are not to be used afterwards.
    /// </summary>
    public void Dispose()
    {
        foreach (IDisposable file in _files)
            file.Dispose();
    }
}
