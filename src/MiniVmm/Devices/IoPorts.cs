namespace MiniVmm.Devices;

/// <summary>Every I/O port and legacy interrupt line of the platform, in one place.</summary>
public static class IoPorts
{
    /// <summary>First RTC/CMOS port: index at 0x70, data at 0x71.</summary>
    public const ushort Rtc = 0x70;
    public const byte RtcIrq = 8;

    /// <summary>i8042 data port; its command and status port is 0x64.</summary>
    public const ushort I8042Data = 0x60;
    public const ushort I8042Command = 0x64;
    public const byte KeyboardIrq = 1;
    public const byte MouseIrq = 12;

    /// <summary>System control port A of the PS/2: fast A20 and reset.</summary>
    public const ushort SystemControlA = 0x92;

    /// <summary>QEMU's pc-testdev: four ports that read as written, and one that takes a page to flush.</summary>
    public const ushort TestEcho = 0xe0;
    public const ushort TestFlush = 0xe4;

    /// <summary>The first of its 24 ports that set an interrupt line each.</summary>
    public const ushort TestInterrupts = 0x2000;

    /// <summary>Debug console: each byte written goes to the console (Bochs, QEMU's isa-debugcon).</summary>
    public const ushort DebugConsole = 0xe9;

    /// <summary>
    /// Debug exit: a value v written ends the VM with status (v &lt;&lt; 1) | 1 (QEMU's isa-debug-exit).
    /// </summary>
    public const ushort DebugExit = 0xf4;

    /// <summary>
    /// First port of a VGA's CRT controller, in colour: index here, data at 0x3d5, input status 1 at 0x3da.
    /// </summary>
    public const ushort VgaCrtc = 0x3d4;

    /// <summary>First port of the 16550A, COM1.</summary>
    public const ushort Serial = 0x3f8;
    public const byte SerialIrq = 4;

    /// <summary>First port of the second one, COM2.</summary>
    public const ushort Serial2 = 0x2f8;
    public const byte Serial2Irq = 3;

    /// <summary>
    /// ACPI fixed hardware: PM1a event block at +0, PM1a control at +4, PM timer at +8. The base, and S5 as
    /// sleep type 0, are those of QEMU's machines, so that the `outw 0x2000, 0x604` of many test kernels works.
    /// </summary>
    public const ushort AcpiPm = 0x600;
    public const ushort AcpiPm1aEvent = AcpiPm;
    public const ushort AcpiPm1aControl = AcpiPm + 4;
    public const ushort AcpiPmTimer = AcpiPm + 8;

    /// <summary>SLP_TYP of S5, soft off.</summary>
    public const byte AcpiSleepTypeS5 = 0;

    /// <summary>The interrupt of ACPI events, as on every PC: IRQ 9, level, active high.</summary>
    public const byte AcpiSciIrq = 9;

    /// <summary>Command blocks and control ports of the two IDE channels, and their interrupts.</summary>
    public const ushort IdePrimary = 0x1f0;
    public const ushort IdePrimaryControl = 0x3f6;
    public const byte IdePrimaryIrq = 14;
    public const ushort IdeSecondary = 0x170;
    public const ushort IdeSecondaryControl = 0x376;
    public const byte IdeSecondaryIrq = 15;

    /// <summary>Floppy controller; its change line and data rate are at 0x3f7.</summary>
    public const ushort Floppy = 0x3f0;
    public const ushort FloppyChange = 0x3f7;
    public const byte FloppyIrq = 6;

    /// <summary>The first DMA controller, and the pages of its channels 2, 3 and 1.</summary>
    public const ushort Dma = 0x00;
    public const ushort DmaPages = 0x81;

    /// <summary>Where SeaBIOS and OVMF write what they do; a read gives 0xe9 where somebody listens.</summary>
    public const ushort FirmwareDebug = 0x402;

    /// <summary>QEMU's firmware configuration device: selector here, data behind it, DMA at 0x514.</summary>
    public const ushort FwCfg = 0x510;

    /// <summary>First port of the registers by which ACPI's methods add and remove processors, behind ACPI's own.</summary>
    public const ushort CpuHotPlug = 0x620;

    /// <summary>
    /// The interrupt that has them look at these: level, active high. The last of the I/O APIC's, which virtio devices get
    /// last.
    /// </summary>
    public const byte CpuHotPlugIrq = 23;

    /// <summary>PCI configuration mechanism #1: address here, data at 0xcfc.</summary>
    public const ushort PciConfigAddress = 0xcf8;

    /// <summary>Reset control register; bit 2 set resets (ACPI RESET_REG with <see cref="ResetValue"/>).</summary>
    public const ushort Reset = 0xcf9;
    public const byte ResetValue = 0x06;

    /// <summary>Ports of PCI devices, above all that a PC has by custom.</summary>
    public const ushort Pci = 0xc000;

    /// <summary>How many.</summary>
    public const int PciLength = 0x4000;
}
