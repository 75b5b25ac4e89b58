using MiniVmm.Diagnostics;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Tests.Inspection;

namespace MiniVmm.Tests.Diagnostics;

/// <summary>Deaths on paper; the guest tests have the real ones.</summary>
public sealed class FaultDiagnosisTests : IDisposable
{
    private readonly Guest _guest = new(0x0f, 0x0b);

    [Fact]
    public void An_instruction_and_what_kept_it_from_a_handler_are_two_findings()
    {
        _guest.Sregs.idt.limit = 0;

        Diagnosis diagnosis = FaultDiagnosis.OfTripleFault(_guest.View, default, null);

        Assert.Equal(("ud2", "idt-limit-0"), (diagnosis.Cause!.Name, diagnosis.Handling!.Name));
        Assert.Contains("(#UD -> #GP -> #DF -> triple fault)", diagnosis.Handling.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_handler_that_cannot_be_fetched_is_told_by_its_gate()
    {
        _guest.Gate(14, Guest.Unmapped);
        _guest.Regs.rip = Guest.Unmapped;

        Diagnosis diagnosis = FaultDiagnosis.OfTripleFault(_guest.View, default, null);

        Assert.Equal("handler-not-mapped", diagnosis.Cause!.Name);
        Assert.Contains("#PF page fault", diagnosis.Cause.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_stack_that_ran_over_the_page_tables_is_told_by_where_it_is()
    {
        _guest.Gate(6, Guest.Unmapped);
        _guest.Regs.rip = Guest.Unmapped;
        _guest.Regs.rsp = Guest.Tables + 0x2010; // where the walk of this address reads its directory

        Assert.Equal("stack-over-page-tables", FaultDiagnosis.OfTripleFault(_guest.View, default, null).Handling!.Name);
    }

    [Theory]
    [InlineData(8, "interrupt 0x8: IRQ 0 of an 8259")]
    [InlineData(0x73, "interrupt 0x73: IRQ 11 of an 8259")]
    [InlineData(0x40, "interrupt 0x40 came")]
    public void Where_the_instruction_is_sound_the_last_interrupt_is_to_blame(byte vector, string text)
    {
        using Guest guest = new(0x90);
        guest.Regs.rflags |= ControlBits.RflagsIf;
        guest.Sregs.idt.limit = 0;
        kvm_vcpu_events events = default;
        events.interrupt.nr = vector;

        Diagnosis diagnosis = FaultDiagnosis.OfTripleFault(guest.View, events, null);

        Assert.Equal("interrupt-not-handled", diagnosis.Cause!.Name);
        Assert.StartsWith(text, diagnosis.Cause.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Registers_of_a_reset_processor_are_known()
    {
        kvm_sregs sregs = new() { cr0 = 0x6000_0010 };
        sregs.cs = new() { selector = 0xf000, @base = 0xffff_0000 };

        Assert.True(FaultDiagnosis.IsAfterReset(new() { rip = 0xfff0 }, sregs));
        Assert.False(FaultDiagnosis.IsAfterReset(new() { rip = 0xfff0 }, _guest.Sregs));
        Assert.False(FaultDiagnosis.IsAfterReset(new() { rip = 0xfff1 }, sregs));
    }

    [Theory]
    [InlineData(true, 0x8000_0011, 0x10, 0x000, true)]
    [InlineData(false, 0x8000_0011, 0x10, 0x000, false)] // ordinary KVM
    [InlineData(true, 0x0000_0011, 0x10, 0x000, false)] // paging off
    [InlineData(true, 0x8000_0011, 0x30, 0x000, false)] // PAE
    [InlineData(true, 0x8000_0011, 0x30, 0x500, false)] // long mode
    public void Paging_that_an_emulating_KVM_cannot_run_is_that_KVMs_limit(bool emulated, ulong cr0, ulong cr4, ulong efer, bool limit)
    {
        (_guest.Sregs.cr0, _guest.Sregs.cr4, _guest.Sregs.efer) = (cr0, cr4, efer);

        Assert.Equal(limit, FaultDiagnosis.OfKvmsLimit(_guest.View, emulated)?.Name == "kvm-without-32-bit-paging");
    }

    [Theory]
    [InlineData(true, 0x8000_0011, 0x000, true)]
    [InlineData(false, 0x8000_0011, 0x000, false)] // ordinary KVM
    [InlineData(true, 0x0000_0011, 0x000, false)] // paging stays off
    [InlineData(true, 0x8000_0010, 0x000, false)] // the guest's own mistake: PG without PE
    [InlineData(true, 0x8000_0011, 0x100, false)] // long mode
    public void The_step_into_PAE_paging_is_that_KVMs_limit_too(bool emulated, ulong cr0, ulong efer, bool limit)
    {
        using Guest guest = new(0x0f, 0x22, 0xc0); // mov cr0, eax
        (guest.Sregs.cr0, guest.Sregs.cr4, guest.Sregs.efer, guest.Regs.rax) = (0x11, 0x20, efer, cr0);
        (guest.Sregs.cs.l, guest.Sregs.cs.db) = (0, 1);
        guest.Sregs.cr3 = Guest.Tables + 0x20;
        guest.Put(Guest.Tables + 0x20, Guest.Tables + 0x2001);

        Assert.Equal(limit, FaultDiagnosis.OfKvmsLimit(guest.View, emulated)?.Name == "kvm-without-32-bit-paging");
    }

    [Fact]
    public void Zeroes_and_text_are_no_code()
    {
        using Guest zeroes = new(new byte[16]);
        using Guest text = new("this is no code, is it"u8.ToArray());

        Assert.Equal("executing-zeroes", FaultDiagnosis.OfEmulation(zeroes.View, null).Cause!.Name);
        Assert.Equal("executing-text", FaultDiagnosis.OfEmulation(text.View, null).Cause!.Name);
        Assert.Equal("not-emulated", FaultDiagnosis.OfEmulation(new Guest(0x9b).View, null).Cause!.Name);
    }

    [Theory]
    [InlineData(0x40, 0x40, false, true)] // itself again
    [InlineData(0x41, 0x30, false, true)] // of a lower priority
    [InlineData(0x40, 0x51, false, false)] // of a higher one, which comes through
    [InlineData(0x40, 0x40, true, false)] // its handler may be on its way
    [InlineData(0x40, -1, false, false)]
    [InlineData(-1, 0x40, false, false)]
    public void An_interrupt_without_its_EOI_holds_up_those_of_its_priority(int serving, int waiting, bool off, bool found)
    {
        byte[] apic = new byte[0x400];
        if (serving >= 0)
            apic[0x100 + serving / 32 * 16 + serving % 32 / 8] |= (byte)(1 << serving % 8);
        if (waiting >= 0)
            apic[0x200 + waiting / 32 * 16 + waiting % 32 / 8] |= (byte)(1 << waiting % 8);

        Assert.Equal(found, HangDiagnosis.OfApic(apic, off)?.Name == "no-eoi");
    }

    public void Dispose() => _guest.Dispose();
}
