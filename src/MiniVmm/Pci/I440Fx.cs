namespace MiniVmm.Pci;

/// <summary>
/// As much of Intel's 440FX PCIset as firmware for QEMU's "pc" machine looks for (datasheets 290549 and 290550): the host
/// bridge with its attribute registers (PAM), the PIIX3 with the routes of the PCI bus' interrupts, and the power management
/// function of a PIIX4, which says where ACPI's registers are. Registers hold what is written, unless said otherwise.
/// </summary>
internal static class I440Fx
{
    /// <summary>Subsystem IDs by which firmware knows that it has QEMU's devices.</summary>
    private const ushort QemuVendor = 0x1af4, QemuDevice = 0x1100;

    private const ushort Intel = 0x8086;

    /// <summary>PIRQRC of the PIIX3: PIRQA to PIRQD, one byte each.</summary>
    public const int InterruptRoutes = 0x60;

    /// <summary>Of a route: nowhere.</summary>
    public const byte NoRoute = 0x80;

    /// <summary>PMBA of the PIIX4: where ACPI's registers are.</summary>
    public const int PowerBase = 0x40;

    /// <summary>PMREGMISC of the PIIX4; bit 0 has it decode them.</summary>
    public const int PowerEnable = 0x80;

    private const int AttributeRegisters = 0x59;
    private const int ManagementRam = 0x72;
    private const int DeviceActivity = 0x58;
    private const byte SmiSetUp = 0x02; // in byte 3 of DEVACTB: APMC_EN

    public static PciSlot HostSlot => default;

    public static PciSlot IsaSlot => new(1, 0);

    public static PciSlot IdeSlot => new(1, 1);

    public static PciSlot PowerSlot => new(1, 3);

    /// <summary>The first device that is free for others.</summary>
    public const int FirstFreeDevice = 2;

    /// <summary>The 82441FX. RAM below 1 MiB can be written whatever the attributes say; they are only kept.</summary>
    public static PciEndpoint CreateHost(PciDecoding decoding)
    {
        PciEndpoint host = new("host bridge", Identity(0x1237, 0x060000) with { Revision = 2 }, decoding);
        host.AddRegisters(AttributeRegisters, new byte[7], [0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        host.AddRegisters(ManagementRam, [0x02], [0x78]);
        return host;
    }

    /// <summary>The PIIX3.</summary>
    /// <param name="decoding">The bus'.</param>
    /// <param name="routed">Told the four routes when one has changed.</param>
    public static PciEndpoint CreateIsa(PciDecoding decoding, Action<byte[]> routed)
    {
        PciEndpoint? isa = null;
        isa = new("ISA bridge", Identity(0x7000, 0x060100), decoding)
        {
            RegistersWritten = (first, count) =>
            {
                if (first < InterruptRoutes + 4 && first + count > InterruptRoutes)
                    routed([.. Enumerable.Range(InterruptRoutes, 4).Select(register => isa![register])]);
            },
        };
        // It decodes ISA's ports and memory; EDK II finds the devices behind it only where that can be switched.
        isa.AddRegisters(PciRegister.Command, [0x07, 0], [0x07, 0]);
        isa.AddRegisters(0x4c, [0x4d, 0, 3, 0], [0xff, 0, 0xff, 0xff]);
        isa.AddRegisters(InterruptRoutes, [NoRoute, NoRoute, NoRoute, NoRoute], [0x8f, 0x8f, 0x8f, 0x8f]);
        isa.AddRegisters(0x69, [0x02], [0xfe]);
        isa.AddRegisters(0x82, [0], [0xff]);
        return isa;
    }

    /// <summary>The PIIX4's function 3, but for its SMBus. It says that system management is set up: there is none.</summary>
    /// <param name="decoding">The bus'.</param>
    /// <param name="moved">Told where ACPI's registers are to be found, or null for nowhere, when that was written.</param>
    public static PciEndpoint CreatePower(PciDecoding decoding, Action<ushort?> moved)
    {
        PciEndpoint? power = null;
        power = new("power management", Identity(0x7113, 0x068000) with { Revision = 3 }, decoding)
        {
            RegistersWritten = (first, _) =>
            {
                if (first is PowerBase or PowerBase + 1 or PowerEnable)
                {
                    moved((power![PowerEnable] & 1) != 0
                        ? (ushort)((power[PowerBase] | (power[PowerBase + 1] << 8)) & 0xffc0)
                        : null);
                }
            },
        };
        power.AddRegisters(PowerBase, [0x01, 0, 0, 0], [0xc0, 0xff, 0, 0]);
        power.AddRegisters(DeviceActivity, [0, 0, 0, SmiSetUp], [0xff, 0xff, 0xff, 0xff]);
        power.AddRegisters(PowerEnable, [0], [0x01]);
        power.AddRegisters(0x90, [0x01, 0, 0, 0], [0xf0, 0xff, 0, 0]);
        power.AddRegisters(0xd2, [0], [0x0f]);
        power.SetInterrupt(1, Devices.IoPorts.AcpiSciIrq);
        return power;
    }

    /// <summary>What all of its functions have in common.</summary>
    internal static PciIdentity Identity(ushort device, uint @class) => new(Intel, device, @class)
    {
        SubsystemVendor = QemuVendor,
        Subsystem = QemuDevice,
    };
}
