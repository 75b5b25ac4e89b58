using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Compare;

/// <summary>Ports, addresses or a reason of exits, and why the two monitors have different numbers of them.</summary>
/// <param name="Name">The place's name, as PCs have it.</param>
/// <param name="Firmware">Why firmware comes there, in a phrase; null where it does not.</param>
/// <param name="Kernel">Why a kernel has more exits of the kind under one of the two; null where only the kernel itself knows.</param>
internal sealed record KnownCause(string Name, string? Firmware, string? Kernel)
{
    private const string Reset = "kernels reset a PC by it, where they cannot switch it off";
    private const string Keyboard = "QEMU's ACPI tables tell a kernel of a keyboard, MiniVmm's where a screen is shown; " + Reset;
    private const string AcpiMode =
        "in QEMU's pc and q35 the kernel asks for ACPI's mode by port 0xb2, MiniVmm is in it from the start; microvm has no such ports, nor a timer there";
    private const string CpuHotPlug = "QEMU's ACPI tables have the kernel look for processors that come and go";
    private const string PciHotPlug = "QEMU's ACPI tables have the kernel look for PCI devices that come and go";
    private const string RealMode = "a bzImage's real-mode part, which MiniVmm leaves out";
    private const string InKernel = "accesses end in KVM where KVM has the device: in MiniVmm, and in QEMU but for microvm, which has it itself";

    // Of SeaBIOS, and of QEMU's pc, q35 and microvm; the first range that fits counts.
    private static readonly (ulong First, ulong Last, KnownCause Cause)[] Ports =
    [
        (0x00, 0x0f, new("DMA controller", "SeaBIOS resets the DMA controllers", null)),
        (0x20, 0x21, new("8259", null, InKernel)),
        (0x40, 0x43, new("8254 timer", null, InKernel)),
        (0x60, 0x60, new("keyboard", "SeaBIOS resets the keyboard", Keyboard)),
        (0x61, 0x61, new("speaker", null, "MiniVmm leaves it to KVM's timer (KVM_PIT_SPEAKER_DUMMY); QEMU has it itself")),
        (0x64, 0x64, new("keyboard", "SeaBIOS resets the keyboard", Keyboard)),
        (0x70, 0x71, new("RTC and CMOS", "SeaBIOS reads settings there, and sets the clock's registers",
            "QEMU has KVM gather the index' writes (KVM_CAP_COALESCED_PIO); its microvm has no clock, and a kernel waits for it")),
        (0x7e, 0x7f, new("kvmvapic", "an option ROM of QEMU's, for guests that use the APIC's priority a lot", null)),
        (0x80, 0x8f, new("DMA pages and POST codes", null, RealMode + ", waits by writing there")),
        (0x92, 0x92, new("A20 gate", "SeaBIOS opens and closes A20 as it changes between real and protected mode", null)),
        (0xa0, 0xa1, new("8259", null, InKernel)),
        (0xb2, 0xb3, new("SMI", "SeaBIOS sets up system management mode", AcpiMode)),
        (0xc0, 0xdf, new("DMA controller", "SeaBIOS resets the DMA controllers", null)),
        (0xf0, 0xf1, new("coprocessor", null, RealMode + ", resets it")),
        (0x170, 0x177, new("IDE", "SeaBIOS looks for disks", null)),
        (0x1f0, 0x1f7, new("IDE", "SeaBIOS looks for disks", null)),
        (0x278, 0x27f, new("parallel port", "SeaBIOS looks for a parallel port", null)),
        (0x2e8, 0x2ef, new("COM4", "SeaBIOS looks for a serial port", null)),
        (0x2f8, 0x2ff, new("COM2", "SeaBIOS looks for a serial port", null)),
        (0x376, 0x376, new("IDE", "SeaBIOS looks for disks", null)),
        (0x378, 0x37f, new("parallel port", "SeaBIOS looks for a parallel port", null)),
        (0x3b0, 0x3df, new("VGA", "the VGA's own BIOS sets it up", "the kernel was told of a VGA, by a BIOS or a boot protocol")),
        (0x3e8, 0x3ef, new("COM3", "SeaBIOS looks for a serial port", null)),
        (0x3f0, 0x3f5, new("floppy", "SeaBIOS looks for floppy drives", null)),
        (0x3f6, 0x3f6, new("IDE", "SeaBIOS looks for disks", null)),
        (0x3f8, 0x3ff, new("COM1", "SeaBIOS looks for a serial port", "the kernel prints another text, or waits longer for the port")),
        (0x402, 0x402, new("firmware's log", "SeaBIOS writes its log there, a letter an exit", null)),
        (0x510, 0x51b, new("fw_cfg", "firmware and its ROMs read the kernel, ACPI tables and settings from QEMU; MiniVmm puts them into RAM",
            "the kernel found a fw_cfg device")),
        (0x600, 0x63f, new("ACPI", null, AcpiMode)),
        (0x700, 0x73f, new("SMBus", "SeaBIOS sets up the chipset", null)),
        (0xcc0, 0xcd7, new("PCI hot-plug", null, PciHotPlug)),
        (0xcd8, 0xce3, new("CPU hot-plug", "SeaBIOS asks how many processors there are", CpuHotPlug)),
        (0xae00, 0xaeff, new("PCI hot-plug", null, PciHotPlug)),
        (0xaf00, 0xaf1f, new("CPU hot-plug", "SeaBIOS asks how many processors there are", CpuHotPlug)),
        (0xafe0, 0xafe3, new("ACPI events", null, "QEMU's chipset has general-purpose events; MiniVmm's none")),
        (0xcf9, 0xcf9, new("reset control", null, Reset)),
        (0xcf8, 0xcff, new("PCI", "firmware looks for PCI devices, and gives them their addresses", "the machines have other PCI devices")),
        (0x5658, 0x5659, new("VMware's port", null, "QEMU answers as VMware does")),
    ];

    private static readonly (ulong First, ulong Last, KnownCause Cause)[] Addresses =
    [
        (0xa0000, 0xbffff, new("VGA memory", "the VGA's own BIOS clears the screen", "QEMU has a VGA where one is asked for")),
        (0xc0000, 0xfffff, new("ROM", "firmware writes to its own ROM, to see whether it is RAM", "this memory is RAM in one of the two, and ROM in the other")),
        (0xb0000000, 0xbfffffff, new("PCI in memory", "SeaBIOS sets up q35's PCI Express functions there (ECAM)", "QEMU's q35 has PCI's configuration space there (ECAM)")),
        (0xfea00000, 0xfea00fff, new("ACPI events", null, "QEMU's microvm has registers for events here; MiniVmm only where processors come and go")),
        (0xfeb00000, 0xfeb0ffff, new("virtio slots", "qboot and SeaBIOS look for devices in microvm's slots", "QEMU's microvm has slots for virtio devices here")),
        (0xfeb10000, 0xfebfffff, new("PCI devices", "SeaBIOS looks for disks at the PCI devices that it finds", "the machines have other PCI devices")),
        (0xfec00000, 0xfec1ffff, new("I/O APIC", null, InKernel)),
        (0xfed00000, 0xfed003ff, new("HPET", "SeaBIOS looks for an HPET", "QEMU has an HPET; MiniVmm none")),
        (0xfed40000, 0xfed44fff, new("TPM", "SeaBIOS looks for a TPM", null)),
        (0xfee00000, 0xfeefffff, new("local APIC", null, "a monitor sees it only where KVM has no APICs")),
    ];

    private static readonly Dictionary<KvmExitReason, string> Reasons = new()
    {
        [KvmExitReason.KVM_EXIT_INTR] = "a monitor's threads stop vCPUs to change something; QEMU also enters once to have a pending access done",
        [KvmExitReason.KVM_EXIT_HLT] = "HLT leaves KVM only where the monitor has the interrupt controllers itself",
        [KvmExitReason.KVM_EXIT_IRQ_WINDOW_OPEN] = "a monitor with interrupt controllers of its own waits until it may interrupt",
        [KvmExitReason.KVM_EXIT_SHUTDOWN] = "a triple fault: it resets QEMU's machine, and is reported by MiniVmm",
        [KvmExitReason.KVM_EXIT_TPR_ACCESS] = "QEMU asks for accesses to the APIC's priority (KVM_TPR_ACCESS_REPORTING), for kvmvapic",
        [KvmExitReason.KVM_EXIT_IOAPIC_EOI] = "a monitor with an I/O APIC of its own hears of an interrupt's end",
        [KvmExitReason.KVM_EXIT_INTERNAL_ERROR] = "KVM cannot go on; MiniVmm may complete an instruction itself, QEMU stops",
    };

    /// <summary>The place of an access, where it is known.</summary>
    public static KnownCause? Find(bool isPort, ulong address)
    {
        foreach ((ulong first, ulong last, KnownCause cause) in isPort ? Ports : Addresses)
        {
            if (address >= first && address <= last)
                return cause;
        }

        return null;
    }

    /// <summary>Why exits of a reason that is no access are more under one of them; null where that is not known.</summary>
    public static string? OfReason(KvmExitReason reason) => Reasons.GetValueOrDefault(reason);

    /// <summary>All ranges, for a test that they are in order.</summary>
    internal static IEnumerable<(bool IsPort, ulong First, ulong Last)> Ranges =>
        [.. Ports.Select(range => (true, range.First, range.Last)), .. Addresses.Select(range => (false, range.First, range.Last))];
}
