using MiniVmm.Boot;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Execution;

/// <summary>Against the checks that a processor makes on VM entry (SDM vol. 3, 27.3.1).</summary>
public sealed class EntryRegistersTests
{
    private const ulong Pe = 1;
    private const ulong Pg = 1UL << 31;
    private const ulong Pae = 1 << 5;
    private const ulong Lme = 1 << 8;
    private const ulong Lma = 1 << 10;

    private static EntryState Entry(EntryMode mode) => new(mode, 0x10_0000)
    {
        Rax = 0x2bad_b002,
        Rbx = 0x1_0000,
        Rsi = 0x7000,
        PageTable = mode == EntryMode.Long64 ? MemoryLayout.PageTables : 0,
    };

    /// <summary>What KVM gives for a vCPU after reset, as far as an entry must not lose or keep it.</summary>
    private static kvm_sregs Reset => new()
    {
        cs = new() { @base = 0xffff_0000, selector = 0xf000, limit = 0xffff, type = 0xb, present = 1, s = 1 },
        ldt = new() { limit = 0xffff, type = 2, present = 1 },
        idt = new() { limit = 0xffff },
        cr0 = 0x6000_0010,
        cr4 = 0x40,
        cr8 = 3,
        apic_base = 0xfee0_0900,
    };

    [Theory]
    [InlineData(EntryMode.Protected32)]
    [InlineData(EntryMode.Long64)]
    public void General_registers_are_the_loaders_and_interrupts_are_off(Enum mode)
    {
        kvm_regs regs = EntryRegisters.General(Entry((EntryMode)mode));

        Assert.Equal(
            (0x10_0000UL, 2UL, 0x2bad_b002UL, 0x1_0000UL, 0x7000UL, MemoryLayout.BootStackTop),
            (regs.rip, regs.rflags, regs.rax, regs.rbx, regs.rsi, regs.rsp));
        Assert.Equal((0UL, 0UL, 0UL), (regs.rcx, regs.rdx, regs.rdi));
    }

    [Fact]
    public void Protected_mode_is_32_bit_without_paging()
    {
        kvm_sregs sregs = EntryRegisters.Special(Entry(EntryMode.Protected32), Reset);

        Assert.Equal((Pe, 0UL), (sregs.cr0 & (Pe | Pg), sregs.cr4));
        Assert.Equal((0UL, 0UL), (sregs.efer, sregs.cr3));
        Assert.Equal((0, 1), (sregs.cs.l, sregs.cs.db));
    }

    [Fact]
    public void Long_mode_has_all_that_it_rests_on()
    {
        kvm_sregs sregs = EntryRegisters.Special(Entry(EntryMode.Long64), Reset);

        Assert.Equal(Pe | Pg, sregs.cr0 & (Pe | Pg));
        Assert.Equal(Pae, sregs.cr4);
        Assert.Equal(Lme | Lma, sregs.efer);
        Assert.Equal(MemoryLayout.PageTables, sregs.cr3);
        Assert.Equal((1, 0), (sregs.cs.l, sregs.cs.db)); // both set is reserved
    }

    [Fact]
    public void GDT_and_selectors_are_the_loaders()
    {
        EntryState entry = Entry(EntryMode.Protected32) with
        {
            Gdt = new(0x9f000, 40),
            CodeSelector = 8,
            DataSelector = 0x10,
        };
        kvm_sregs sregs = EntryRegisters.Special(entry, Reset);

        Assert.Equal((0x9f000UL, 39), (sregs.gdt.@base, sregs.gdt.limit));
        Assert.Equal((8, 0x10, 0x10), (sregs.cs.selector, sregs.ds.selector, sregs.ss.selector));
    }

    [Theory]
    [InlineData(0x7c00ul, 0x8ff0ul, 0, 0x7c00ul, 0, 0x8ff0ul)]
    [InlineData(0x2_1234ul, 0x9_fbf0ul, 0x2000, 0x1234ul, 0x9000, 0xfbf0ul)]
    public void Real_mode_has_the_addresses_in_segments_and_the_rest_is_as_after_reset(
        ulong rip, ulong rsp, int codeSelector, ulong ip, int stackSelector, ulong sp)
    {
        EntryState entry = new(EntryMode.Real16, rip) { Rsp = rsp, Rdx = 0x80, Gdt = default };
        kvm_sregs sregs = EntryRegisters.Special(entry, Reset);
        kvm_regs regs = EntryRegisters.General(entry);

        Assert.Equal((ip, sp, 0x80ul), (regs.rip, regs.rsp, regs.rdx));
        Assert.Equal((codeSelector, codeSelector, codeSelector, stackSelector),
            (sregs.cs.selector, sregs.ds.selector, sregs.es.selector, sregs.ss.selector));
        Assert.Equal(((ulong)codeSelector << 4, (ulong)stackSelector << 4), (sregs.cs.@base, sregs.ss.@base));
        Assert.Equal((Reset.cr0, Reset.cr4, Reset.efer), (sregs.cr0, sregs.cr4, sregs.efer));
    }

    [Theory]
    [InlineData(EntryMode.Protected32)]
    [InlineData(EntryMode.Long64)]
    public void Segments_pass_the_checks_of_an_entry(Enum mode)
    {
        kvm_sregs sregs = EntryRegisters.Special(Entry((EntryMode)mode), Reset);

        Assert.Equal((FlatGdt.CodeSelector, 0xb), (sregs.cs.selector, sregs.cs.type));
        Assert.All((kvm_segment[])[sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss],
            segment => Assert.Equal((FlatGdt.DataSelector, 3), (segment.selector, segment.type)));
        Assert.All((kvm_segment[])[sregs.cs, sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss], segment =>
        {
            Assert.Equal((0UL, 0xffff_ffffu), (segment.@base, segment.limit));
            Assert.Equal((1, 1, 1, 0, 0), (segment.s, segment.present, segment.g, segment.unusable, segment.avl));
            Assert.Equal(segment.selector & 3, segment.dpl);
        });
        Assert.Equal((0xb, 0, 1, 0), (sregs.tr.type, sregs.tr.s, sregs.tr.present, sregs.tr.unusable)); // busy TSS
        Assert.Equal((0x67u, 0), (sregs.tr.limit, sregs.tr.g));
        Assert.Equal(0, sregs.tr.selector & 4); // not in the LDT
    }

    [Theory]
    [InlineData(EntryMode.Protected32)]
    [InlineData(EntryMode.Long64)]
    public void The_GDT_holds_both_selectors_there_is_no_IDT_and_the_rest_is_as_after_reset(Enum mode)
    {
        kvm_sregs sregs = EntryRegisters.Special(Entry((EntryMode)mode), Reset);

        Assert.Equal(MemoryLayout.BootGdt, sregs.gdt.@base);
        Assert.Equal(FlatGdt.DataSelector + 7, sregs.gdt.limit);
        Assert.Equal((0UL, 0), (sregs.idt.@base, sregs.idt.limit));
        Assert.Equal((0xfee0_0900UL, 3UL, 2, 0xffffu), (sregs.apic_base, sregs.cr8, sregs.ldt.type, sregs.ldt.limit));
    }
}
