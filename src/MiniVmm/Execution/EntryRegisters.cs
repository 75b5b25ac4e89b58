using MiniVmm.Boot;
using MiniVmm.Kvm;

namespace MiniVmm.Execution;

/// <summary>Turns a loader's <see cref="EntryState"/> into register images: pure, no vCPU needed.</summary>
public static class EntryRegisters
{
    private const ulong Cr0ProtectedMode = 1 << 0;
    private const ulong Cr0ExtensionType = 1 << 4;
    private const ulong Cr0WriteProtect = 1 << 16;
    private const ulong Cr0Paging = 1UL << 31;
    private const ulong Cr4PhysicalAddressExtension = 1 << 5;
    private const ulong EferLongModeEnable = 1 << 8;
    private const ulong EferLongModeActive = 1 << 10;
    private const ulong EferNoExecuteEnable = 1 << 11;

    /// <summary>Bit 1 of RFLAGS is always set; interrupts are off, as every boot protocol here wants.</summary>
    private const ulong Rflags = 1 << 1;

    /// <summary>General registers at entry; those of real mode count from their segments.</summary>
    internal static kvm_regs General(EntryState entry) => new()
    {
        rax = entry.Rax,
        rbx = entry.Rbx,
        rdx = entry.Rdx,
        rsi = entry.Rsi,
        rdi = entry.Rdi,
        rsp = entry.Mode == EntryMode.Real16 ? entry.Rsp - RealBase(entry.Rsp) : entry.Rsp,
        rip = entry.Mode == EntryMode.Real16 ? entry.Rip - RealBase(entry.Rip) : entry.Rip,
        rflags = Rflags,
    };

    /// <summary>Base of the real-mode segment for an address: the 64 KiB that it is in.</summary>
    private static ulong RealBase(ulong address) => address & ~0xfffful;

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
        kvm_sregs sregs = reset;
        if (entry.Mode == EntryMode.Real16)
        {
            SetRealBase(ref sregs.cs, entry.Rip);
            SetRealBase(ref sregs.ds, entry.Rip);
            SetRealBase(ref sregs.es, entry.Rip);
            SetRealBase(ref sregs.ss, entry.Rsp);
            return sregs;
        }

        bool longMode = entry.Mode == EntryMode.Long64;
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
            if (entry.ProtectsPages)
            {
                sregs.cr0 |= Cr0WriteProtect;
                sregs.efer |= EferNoExecuteEnable;
            }
        }

        return sregs;
    }

    private static void SetRealBase(ref kvm_segment segment, ulong address)
    {
        segment.@base = RealBase(address);
        segment.selector = (ushort)(RealBase(address) >> 4);
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
