namespace MiniVmm.Memory;

/// <summary>
/// Every guest-physical address that MiniVmm itself chooses, with the reason for it. Nothing else in the
/// library holds a guest address. Tables in RAM and in the ROM window have their usual address here; one that the
/// kernel's own segments cover lies elsewhere (<see cref="LoadPlan"/>).
/// </summary>
public static class MemoryLayout
{
    public const ulong KiB = 1UL << 10;
    public const ulong MiB = 1UL << 20;
    public const ulong GiB = 1UL << 30;

    // --- The first megabyte: a PC's, so that kernels which look where a PC keeps things find them. ---

    /// <summary>Real-mode interrupt vector table: 256 far pointers.</summary>
    public const ulong InterruptVectors = 0;

    /// <summary>BIOS data area, which kernels for PCs read.</summary>
    public const ulong BiosData = 0x400;

    /// <summary>First byte after the BIOS data area.</summary>
    public const ulong BiosDataEnd = 0x500;

    /// <summary>GDT of the initial vCPU state. Above the real-mode IVT and BIOS data area.</summary>
    public const ulong BootGdt = 0x500;

    /// <summary>PVH start info, its memory map and module list (at most one page).</summary>
    public const ulong PvhStartInfo = 0x6000;

    /// <summary>Linux boot_params, the "zero page" (4 KiB).</summary>
    public const ulong ZeroPage = 0x7000;

    /// <summary>Where a BIOS loads a boot sector.</summary>
    public const ulong BootSector = 0x7c00;

    /// <summary>A small stack below the page tables, for kernels that push before they set their own.</summary>
    public const ulong BootStack = 0x8000;

    /// <summary>Top of the stack.</summary>
    public const ulong BootStackTop = 0x8ff0;

    /// <summary>Identity-map page tables: PML4, one PDPT, four page directories (6 pages, to 0xf000).</summary>
    public const ulong PageTables = 0x9000;

    /// <summary>First byte after <see cref="PageTables"/>.</summary>
    public const ulong PageTablesEnd = PageTables + 6 * 4 * KiB;

    /// <summary>Multiboot information structure, memory map, module list and strings (up to 64 KiB).</summary>
    public const ulong MultibootInfo = 0x10000;

    /// <summary>Kernel command line (up to 64 KiB, NUL-terminated).</summary>
    public const ulong CommandLine = 0x20000;

    /// <summary>Longest command line with its NUL, in bytes.</summary>
    public const ulong CommandLineMax = 64 * KiB;

    /// <summary>End of base memory; the last KiB below 640 KiB is the EBDA on a PC and is reported reserved.</summary>
    public const ulong BaseMemoryEnd = 0x9fc00;

    /// <summary>Extended BIOS data area, 1 KiB; the BIOS data area has its segment.</summary>
    public const ulong Ebda = BaseMemoryEnd;

    /// <summary>Start of the VGA and ROM window that a PC has instead of RAM.</summary>
    public const ulong LegacyHoleStart = 0xa0000;

    /// <summary>The text screen of every PC: 80×25 cells of a letter and its colours.</summary>
    public const ulong TextScreen = 0xb8000;

    /// <summary>
    /// Where the last part of firmware, up to 1 MiB, is found as well: from here on.
    /// </summary>
    public const ulong FirmwareShadow = 0xe0000;

    /// <summary>Start of the memory that the firmware map reports as a BIOS's, up to 1 MiB.</summary>
    public const ulong RomArea = 0xe0000;

    /// <summary>
    /// ACPI: the RSDP, found by its 16-byte-aligned signature in 0xe0000–0xfffff, then the tables behind it.
    /// </summary>
    public const ulong Acpi = 0xe0000;

    /// <summary>First byte after the ACPI tables' room.</summary>
    public const ulong AcpiEnd = 0xf0000;

    /// <summary>MP floating pointer and table; one of the three places the MP specification names.</summary>
    public const ulong MpTable = 0xf0000;

    /// <summary>First byte after the MP table's room.</summary>
    public const ulong MpTableEnd = 0x100000;

    /// <summary>The IRET that unused real-mode vectors point to, at F000:FF53 as in every PC BIOS.</summary>
    public const ulong DummyInterruptHandler = 0xfff53;

    /// <summary>Where RAM goes on above the first megabyte, and where kernels are loaded by custom.</summary>
    public const ulong HighMemory = 0x100000;

    // --- The hole below 4 GiB: local APIC, I/O APIC and device windows live there on every PC. ---

    /// <summary>Start of the device hole (3 GiB); RAM beyond it goes on at <see cref="HighRam"/>.</summary>
    public const ulong HoleStart = 0xc000_0000;

    /// <summary>Memory of PCI devices below 4 GiB: 256 MiB, from the hole's start on, so that large BARs are aligned.</summary>
    public const ulong PciMemory = HoleStart;

    /// <summary>Bytes of <see cref="PciMemory"/>.</summary>
    public const ulong PciMemorySize = 256 * MiB;

    /// <summary>
    /// Lowest start of the PCI memory below 4 GiB in a machine with firmware, which lays it out itself: firmware of a PC
    /// begins where RAM ends, but not below 2 GiB, and stays below the I/O APIC.
    /// </summary>
    public const ulong FirmwarePciMemory = 0x8000_0000;

    /// <summary>A framebuffer, for machines that have one: the end of <see cref="PciMemory"/>, as it may be a PCI device's.</summary>
    public const ulong Framebuffer = PciMemory + PciMemorySize - FramebufferSize;

    /// <summary>Bytes of video memory: 1920×1080 dots of 32 bits, twice.</summary>
    public const ulong FramebufferSize = 16 * MiB;

    /// <summary>First virtio-mmio window; 4 KiB each.</summary>
    public const ulong VirtioMmio = 0xd000_0000;

    /// <summary>Configuration space of the PCI bus: 1 MiB, where QEMU's machines have theirs.</summary>
    public const ulong PciEcam = 0xe000_0000;

    /// <summary>I/O APIC registers, at the address every PC has them.</summary>
    public const ulong IoApic = 0xfec0_0000;

    /// <summary>Local APIC registers, the architectural reset value of IA32_APIC_BASE (SDM vol. 3, 11.4.1).</summary>
    public const ulong LocalApic = 0xfee0_0000;

    /// <summary>
    /// One page for KVM's real-mode identity map on processors without unrestricted guests; where QEMU has it, below the
    /// largest firmware.
    /// </summary>
    public const ulong IdentityMap = 0xfeff_c000;

    /// <summary>Three pages for KVM's real-mode TSS, on the same processors (api.rst, KVM_SET_TSS_ADDR).</summary>
    public const ulong Tss = 0xfeff_d000;

    /// <summary>Lowest address of firmware, which ends at 4 GiB, where processors begin.</summary>
    public const ulong FirmwareStart = 0xff00_0000;

    /// <summary>64 KiB that read as written, of QEMU's pc-testdev; where it is there, too.</summary>
    public const ulong TestMemory = 0xff00_0000;
    public const ulong TestMemoryLength = 0x1_0000;

    /// <summary>RAM above the hole starts at 4 GiB.</summary>
    public const ulong HighRam = 0x1_0000_0000;

    /// <summary>
    /// Memory of PCI devices above all RAM: as much, and on such a boundary, so that it ends below 64 GiB in a machine with
    /// up to 32 GiB and a processor of 36 address bits has all of it.
    /// </summary>
    public const ulong PciHighMemorySize = 32 * GiB;
}
