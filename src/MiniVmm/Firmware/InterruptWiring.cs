using System.Collections.Immutable;
using MiniVmm.Devices;

namespace MiniVmm.Firmware;

/// <summary>How a PC's sixteen interrupt lines reach the APICs: what all tables say of it.</summary>
/// <remarks>
/// KVM's own default routes line n to pin n, 0 among them. A PC, and so QEMU, has the timer (IRQ 0) on pin 2:
/// whoever creates the VM must set that route (api.rst, KVM_SET_GSI_ROUTING), or a guest waits for ticks on the
/// wrong pin.
/// </remarks>
internal static class InterruptWiring
{
    /// <summary>Interrupt lines of the two cascaded 8259s.</summary>
    public const int IsaIrqs = 16;

    /// <summary>The I/O APIC pin, and with one I/O APIC the ACPI GSI, of the timer.</summary>
    public const byte TimerPin = 2;

    /// <summary>Line by which the second 8259 interrupts the first: no device has it.</summary>
    public const byte CascadeIrq = 2;

    /// <summary>
    /// The I/O APIC's ID, which is what KVM's reads after reset. It may be a processor's ID as well: xAPICs
    /// share no bus with I/O APICs (SDM vol. 3, 11.1), and the register has room for 15 only.
    /// </summary>
    public const byte IoApicId = 0;

    /// <summary>Version register of KVM's I/O APIC: 24 pins of an 82093AA.</summary>
    public const byte IoApicVersion = 0x11;

    /// <summary>Version register of KVM's local APIC: integrated, xAPIC.</summary>
    public const byte LocalApicVersion = 0x14;

    /// <summary>Where an 8259 is wired on the boot processor, for kernels without an I/O APIC driver.</summary>
    public const byte ExtIntLint = 0;

    /// <summary>Where NMI is wired on every processor.</summary>
    public const byte NmiLint = 1;

    /// <summary>The I/O APIC pin of an ISA interrupt line, 0–15 without <see cref="CascadeIrq"/>.</summary>
    public static byte IoApicPin(byte irq) => irq == 0 ? TimerPin : irq;

    /// <summary>
    /// Lines of the 8259s that no device here has, in the order they are given out: first those that PCs leave to cards,
    /// last 7 and 15, which an 8259 also raises for an interrupt that went away. All are edge-triggered.
    /// </summary>
    public static IReadOnlyList<byte> FreeIsaLines { get; } = [5, 10, 11, 6, 3, 12, 14, 7, 15];

    /// <summary>Lines that only the I/O APIC has, in the order they are given out. All are edge-triggered.</summary>
    public static IReadOnlyList<byte> IoApicLines { get; } = [16, 17, 18, 19, 20, 21, 22, 23];

    /// <summary>
    /// The four interrupt lines of the PCI bus, inputs of the I/O APIC: level-triggered, and shared by its functions. A
    /// machine with PCI has <see cref="PciIsaLines"/> on them as well, for kernels that use the 8259s.
    /// </summary>
    public static ImmutableArray<byte> PciLines { get; } = [16, 17, 18, 19];

    /// <summary>The line of the 8259s that each of <see cref="PciLines"/> is wired to.</summary>
    public static ImmutableArray<byte> PciIsaLines { get; } = [5, 10, 11, 6];

    /// <summary>Which of the PCI bus' lines a pin is wired to, so that the devices' first pins are spread over all.</summary>
    /// <param name="device">0 to 31.</param>
    /// <param name="pin">0 to 3 for INTA to INTD.</param>
    public static int PciLineIndex(int device, int pin) => (device + pin) % PciLines.Length;

    /// <summary>Whether the line is level-triggered: only ACPI's is, which differs from the ISA bus.</summary>
    internal static bool IsLevel(byte irq) => irq == IoPorts.AcpiSciIrq;
}
