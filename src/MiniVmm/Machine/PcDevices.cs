using MiniVmm.Devices;
using MiniVmm.Firmware;

namespace MiniVmm.Machine;

/// <summary>The PC's devices that a machine can do without.</summary>
[Flags]
public enum PcDevices
{
    None = 0,

    /// <summary>COM1, a 16550A at ports 0x3f8–0x3ff.</summary>
    Serial = 1 << 0,

    /// <summary>Text at port 0xe9.</summary>
    DebugConsole = 1 << 1,

    /// <summary>The end of the machine at port 0xf4.</summary>
    DebugExit = 1 << 2,

    /// <summary>The clock chip at ports 0x70 and 0x71.</summary>
    Clock = 1 << 3,

    /// <summary>The keyboard controller, with a keyboard and a mouse, at ports 0x60 and 0x64.</summary>
    KeyboardController = 1 << 4,

    /// <summary>System control port A, 0x92.</summary>
    SystemControlA = 1 << 5,

    /// <summary>A VGA's CRT controller at ports 0x3d4 and 0x3d5.</summary>
    VgaCrtc = 1 << 6,

    All = (1 << 7) - 1,
}

/// <summary>
/// The devices of a PC, each described in one place; those that KVM emulates itself are not here. ACPI's registers and the
/// reset register are in every machine, since its tables promise them.
/// </summary>
internal static class PcPlatform
{
    public const string DebugConsoleName = "debug console";
    public const string DebugExitName = "debug exit";

    public static DeviceDescription Serial { get; } = new(
        "serial port COM1",
        DeviceWindow.Ports(IoPorts.Serial, Serial16550.Length),
        setup => new Serial16550(setup.Console, setup.Edge))
    {
        Interrupt = IoPorts.SerialIrq,
        Acpi = new("COM1", "PNP0501", 1),
    };

    public static DeviceDescription SecondSerial { get; } = new(
        "serial port COM2",
        DeviceWindow.Ports(IoPorts.Serial2, Serial16550.Length),
        setup => new Serial16550(setup.SecondConsole, setup.Edge))
    {
        Interrupt = IoPorts.Serial2Irq,
        Acpi = new("COM2", "PNP0501", 2),
    };

    public static DeviceDescription Clock { get; } = new(
        "real-time clock",
        DeviceWindow.Ports(IoPorts.Rtc, Rtc.Length),
        setup => new Rtc(setup.Map, setup.Clock, setup.Rtc) { Line = setup.Edge })
    {
        Interrupt = IoPorts.RtcIrq,
        IsSeldom = true,
        Acpi = new("RTC", "PNP0B00", 0),
    };

    /// <summary>ACPI's own ports and the reset register, so that a guest gives them to nobody else.</summary>
    public static DeviceDescription PowerManagement { get; } = new(
        "ACPI power management",
        DeviceWindow.Ports(IoPorts.AcpiPm, AcpiPm.Length),
        setup => new AcpiPm(setup.Level, setup.Power))
    {
        Interrupt = IoPorts.AcpiSciIrq,
        IsLevelTriggered = true,
        Acpi = new("MBRD", "PNP0C02", 0)
        {
            Reserved = [DeviceWindow.Ports(IoPorts.Reset, 1)],
            ListsInterrupt = false,
        },
    };

    /// <summary>
    /// The registers by which processors come and go. Their interrupt belongs to the Generic Event Device, which is described
    /// beside the processors; here the guest is told of the ports alone.
    /// </summary>
    private static DeviceDescription HotPlug(int places) => new(
        "processor hot-plug",
        DeviceWindow.Ports(IoPorts.CpuHotPlug, CpuHotPlug.Length),
        setup => new CpuHotPlug(places, setup.Processors, setup.Level))
    {
        Interrupt = IoPorts.CpuHotPlugIrq,
        IsLevelTriggered = true,
        Acpi = new("CPUH", "PNP0C02", 2) { ListsInterrupt = false },
    };

    /// <summary>The firmware configuration device, by the ID that Linux' driver of it looks for.</summary>
    private static DeviceDescription FirmwareConfiguration(FwCfgItems items) => new(
        "firmware configuration", DeviceWindow.Ports(IoPorts.FwCfg, FwCfg.Length), setup => new FwCfg(items, setup.Memory))
    {
        Acpi = new("FWCF", "QEMU0002", 0),
    };

    /// <summary>Told only of where somebody types: Linux looks for what is there, which takes it a while.</summary>
    private static DeviceDescription KeyboardController(bool told)
    {
        DeviceWindow window = DeviceWindow.Ports(IoPorts.I8042Data, I8042.Length);
        if (!told)
            return new("i8042", window, setup => new I8042(setup.Power));
        return new("i8042", window, setup => new I8042(setup.Power) { KeyboardLine = setup.Edge })
        {
            Interrupt = IoPorts.KeyboardIrq,
            Acpi = new("KBD", AmlDevice.KeyboardId, 0)
            {
                Windows = [DeviceWindow.Ports(IoPorts.I8042Data, 1), DeviceWindow.Ports(IoPorts.I8042Command, 1)],
            },
        };
    }

    /// <summary>The devices of a machine, in the order that its DSDT lists them.</summary>
    /// <param name="options">The machine.</param>
    /// <param name="fwCfg">What its firmware configuration device tells, complete when the devices are made; null for none.</param>
    public static IReadOnlyList<DeviceDescription> Devices(MachineOptions options, FwCfgItems? fwCfg = null)
    {
        PcDevices chosen = options.PcDevices;
        List<DeviceDescription> devices = [PowerManagement];
        if (chosen.HasFlag(PcDevices.Serial))
            devices.Add(Serial);
        if (options.Com2 is not null)
            devices.Add(SecondSerial);
        if (chosen.HasFlag(PcDevices.Clock))
            devices.Add(Clock);
        if (chosen.HasFlag(PcDevices.DebugConsole))
        {
            devices.Add(new(
                DebugConsoleName,
                DeviceWindow.Ports(options.DebugConsolePort, 1),
                setup => new DebugConsole(setup.DebugConsole)));
        }

        if (chosen.HasFlag(PcDevices.DebugExit))
        {
            DeviceWindow ports = options.DebugExitPorts;
            devices.Add(new(DebugExitName, DebugExit.Claim(ports), setup => new DebugExit(setup.Power, ports.Length)));
        }

        if (chosen.HasFlag(PcDevices.KeyboardController))
            devices.Add(KeyboardController(options.HasDisplay));
        if (chosen.HasFlag(PcDevices.SystemControlA))
        {
            devices.Add(new(
                "system control port A",
                DeviceWindow.Ports(IoPorts.SystemControlA, 1),
                setup => new SystemControlPortA(setup.Power)));
        }

        if (chosen.HasFlag(PcDevices.VgaCrtc))
            devices.Add(new("VGA CRT controller", DeviceWindow.Ports(IoPorts.VgaCrtc, VgaCrtc.Length), _ => new VgaCrtc()));
        devices.Add(new(
            "PCI configuration, reset control",
            DeviceWindow.Ports(IoPorts.PciConfigAddress, PciConfiguration.Length),
            setup => new PciConfiguration(setup.Power, setup.Pci)));
        if (options.Topology.CanChange)
            devices.Add(HotPlug(options.Topology.MaxCpus));
        if (fwCfg is not null)
            devices.Add(FirmwareConfiguration(fwCfg));
        if (options.TestDevices)
            devices.AddRange(PcTestDevices.Describe());
        return devices;
    }
}
