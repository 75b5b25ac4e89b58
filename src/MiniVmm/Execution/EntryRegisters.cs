using MiniVmm.Boot;
using MiniVmm.Kvm;

namespace MiniVmm.Execution;

/// <summary>Turns a loader's <see cref="EntryState"/> into register images: pure, no vCPU needed.</summary>
public static class EntryRegisters
{
    private const ulong Cr0ProtectedMode = 1 << 0;
    private const ulong Cr0ExtensionType = 1 << 4;
    private const ulong Cr0Paging = 1UL << 31;
    private const ulong Cr4PhysicalAddressExtension = 1 << 5;
    private const ulong EferLongModeEnable = 1 << 8;
    private const ulong EferLongModeActive = 1 << 10;

    /// <summary>Bit 1 of RFLAGS is always set; interrupts are off, as every boot protocol here wants.</summary>
    private const ulong Rflags = 1 << 1;

    /// <summary>General registers at entry.</summary>
    internal static kvm_regs General(EntryState entry) => new()
    {
        rax = entry.Rax,
        rbx = entry.Rbx,
        rsi = entry.Rsi,
        rsp = entry.Rsp,
        rip = entry.Rip,
        rflags = Rflags,
    };

    /// <summary>
    /// Real mode with all segments at 0, so that RIP is the address of the first instruction, below 64 KiB. A processor
    /// after its reset (SDM vol. 3, 10.1.4) differs in its code segment alone.
    /// </summary>
    /// <param name="reset">The registers of a new vCPU.</param>
    public static kvm_sregs RealMode(kvm_sregs reset)
    {
        kvm_sregs sregs = reset;
        sregs.cs.@base = 0;
        sregs.cs.selector = 0;
        return sregs;
    }

    /// <summary>Segment and control registers at entry; what the mode does not say keeps its reset value.</summary>
    internal static kvm_sregs Special(EntryState entry, kvm_sregs reset)
    {
        bool longMode = entry.Mode == EntryMode.Long64;
        kvm_sregs sregs = reset;
        sregs.cs = Flat(entry.CodeSelector, type: 0xb);
        sregs.cs.l = longMode ? (byte)1 : (byte)0;
        sregs.cs.db = longMode ? (byte)0 : (byte)1;
        sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = Flat(entry.DataSelector, type: 0x3);

        // A busy TSS is a condition of entry on VMX (SDM vol. 3, 27.3.1.2), though nothing uses it, and the GDT has none.
        sregs.tr = new kvm_segment { selector = 0x20, limit = 0x67, type = 0xb, present = 1 };
        sregs.gdt = new kvm_dtable { @base = entry.Gdt.Start, limit = (ushort)(entry.Gdt.Length - 1) };

        // No IDT: a kernel that faults before it has one ends at once, and the crash report can say why.
        sregs.idt = default;
        sregs.cr0 = Cr0ProtectedMode | Cr0ExtensionType;
        sregs.cr3 = entry.PageTable;
        sregs.cr4 = 0;
        sregs.efer = 0;
        if (longMode)
        {
            sregs.cr0 |= Cr0Paging;
            sregs.cr4 |= Cr4PhysicalAddressExtension;
            sregs.efer |= EferLongModeEnable | EferLongModeActive;
        }

        return sregs;
    }

    private static kvm_segment Flat(ushort selector, byte type) => new()
    {
        selector = selector,
        limit = 0xffff_ffff,
        type = type,
        present = 1,
        s = 1,
        g = 1,
        db = 1,
    };
}
