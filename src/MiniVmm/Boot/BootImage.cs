using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>The processor mode that a boot protocol enters its kernel in.</summary>
internal enum EntryMode
{
    /// <summary>Real mode; data segments are the code segment.</summary>
    Real16,

    /// <summary>32-bit protected mode, flat segments, paging off.</summary>
    Protected32,

    /// <summary>64-bit long mode, flat segments, identity-mapped page tables.</summary>
    Long64,

    /// <summary>Real mode as after a reset, at the last 16 bytes below 4 GiB: firmware's.</summary>
    Reset,
}

/// <summary>How the boot processor starts: what a loader decides, as numbers, without a vCPU.</summary>
/// <param name="Mode">Processor mode at entry.</param>
/// <param name="Rip">Guest-physical address of the first instruction.</param>
internal sealed record EntryState(EntryMode Mode, ulong Rip)
{
    public ulong Rax { get; init; }
    public ulong Rbx { get; init; }
    public ulong Rdx { get; init; }
    public ulong Rsi { get; init; }
    public ulong Rdi { get; init; }
    public ulong Rsp { get; init; } = MemoryLayout.BootStackTop;

    /// <summary>Whether pages are read-only to the kernel too, and may forbid execution (CR0.WP, EFER.NXE).</summary>
    public bool ProtectsPages { get; init; }

    /// <summary>Where the GDT lies, all of it, as a linear address; real mode has none.</summary>
    public GuestRange Gdt { get; init; } = new(MemoryLayout.BootGdt, FlatGdt.Size);

    /// <summary>Guest-physical address of the PML4; 0 without paging.</summary>
    public ulong PageTable { get; init; }

    /// <summary>Selector of the flat code segment in the GDT.</summary>
    public ushort CodeSelector { get; init; } = FlatGdt.CodeSelector;

    /// <summary>Selector of the flat data segment.</summary>
    public ushort DataSelector { get; init; } = FlatGdt.DataSelector;
}

/// <summary>
/// A kernel ready to load: what to put where, and how to enter it. Pure data; nothing has been touched. Dispose it once
/// the segments are copied: an unpacked kernel is tens of megabytes of native memory.
/// </summary>
internal sealed record BootImage : IDisposable
{
    /// <summary>The protocol and what it was chosen for, for people: "Linux bzImage 2.15, 64-bit entry".</summary>
    public required string Format { get; init; }

    /// <summary>
    /// Everything that goes to guest memory, firmware tables included; no two overlap, and each is in RAM.
    /// </summary>
    public required IReadOnlyList<LoadSegment> Segments { get; init; }

    /// <summary>The memory map that the guest gets: tables that had to move into RAM are reserved in it.</summary>
    public required GuestMemoryMap Memory { get; init; }

    /// <summary>Where the firmware's tables lie.</summary>
    public required FirmwarePlaces Firmware { get; init; }

    public required EntryState Entry { get; init; }

    /// <summary>The framebuffer that the kernel is told of; null for none.</summary>
    public FramebufferInfo? Framebuffer { get; init; }

    /// <summary>
    /// How the processors after the first start, in their order; empty where they wait for INIT and SIPI.
    /// </summary>
    public IReadOnlyList<EntryState> OtherEntries { get; init; } = [];

    /// <summary>
    /// Whether the 8259s are all masked and the local APICs on with their lines masked, instead of as a BIOS leaves them.
    /// </summary>
    public bool MasksInterrupts { get; init; }

    /// <summary>What was decided and why, one sentence a line, for <c>--dry-run</c>.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Memory that segments point into and that no file owns.</summary>
    internal IReadOnlyList<IDisposable> Unpacked { get; init; } = [];

    /// <summary>
    /// Frees the unpacked kernel; the bytes of its segments must not be touched afterwards.
    /// </summary>
    public void Dispose()
    {
        foreach (IDisposable buffer in Unpacked)
            buffer.Dispose();
    }
}
