using Iced.Intel;
using MiniVmm.Assist;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Tests.Assist;

/// <summary>Instructions that this process cannot execute itself, against the manual's pages.</summary>
public sealed class SystemInstructionsTests : IDisposable
{
    private const uint GsBase = 0xc000_0101;
    private const uint KernelGsBase = 0xc000_0102;
    private readonly AssistGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void INT3_is_a_breakpoint_with_RIP_behind_it()
    {
        AssertRaises(new(ExceptionVector.Breakpoint), c => c.int3(), rip: AssistGuest.Code + 1);
    }

    [Fact]
    public void INT3_is_no_single_step_even_with_TF()
    {
        _guest.Cpu.Regs.rflags |= ControlBits.RflagsTf;

        AssertRaises(new(ExceptionVector.Breakpoint), c => c.int3(), rip: AssistGuest.Code + 1);
    }

    [Fact]
    public void INT3_is_left_to_a_debugger()
    {
        Assert.Equal(AssistOutcome.Raised, _guest.Execute(c => c.int3()));
        _guest.Cpu.Regs.rip = AssistGuest.Code;

        Assert.Equal(AssistOutcome.NotMine, _guest.Assist.Execute(leavesBreakpoints: true));
    }

    [Fact]
    public void STAC_and_CLAC_set_and_clear_AC_and_nothing_else()
    {
        kvm_regs before = _guest.Cpu.Regs;

        Complete(c => c.stac());
        Assert.Equal(before with { rip = AssistGuest.Code + 3, rflags = before.rflags | ControlBits.RflagsAc }, _guest.Cpu.Regs);

        Complete(c => c.clac());
        Assert.Equal(before with { rip = AssistGuest.Code + 3 }, _guest.Cpu.Regs);
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 3)]
    public void STAC_and_CLAC_do_not_exist_without_SMAP_or_below_CPL_0(bool smap, byte cpl)
    {
        if (!smap)
            _guest.Cpu.Features &= ~AssistFeatures.Smap;
        EnterCpl(cpl);

        AssertRaises(new(ExceptionVector.InvalidOpcode), c => c.stac());
        AssertRaises(new(ExceptionVector.InvalidOpcode), c => c.clac());
    }

    [Theory]
    [InlineData(0ul, 0, null)]
    [InlineData(ControlBits.Cr0Ts, 0, null)]
    [InlineData(ControlBits.Cr0Mp, 0, null)]
    [InlineData(ControlBits.Cr0Em, 0, null)]
    [InlineData(ControlBits.Cr0Ts | ControlBits.Cr0Mp, 0, (int)ExceptionVector.DeviceNotAvailable)]
    [InlineData(ControlBits.Cr0Ts | ControlBits.Cr0Mp, 0x80, (int)ExceptionVector.DeviceNotAvailable)]
    [InlineData(0ul, 0x80, (int)ExceptionVector.X87)]
    [InlineData(0ul, 0x7f, null)]
    public void FWAIT_reports_a_pending_exception_or_a_task_switch(ulong cr0, byte status, int? vector)
    {
        _guest.Cpu.Sregs.cr0 |= cr0;
        _guest.XsaveArea[2] = status;

        if (vector is { } raised)
            AssertRaises(new((byte)raised), c => c.wait());
        else
            Complete(c => c.wait());
    }

    [Fact]
    public void FWAIT_with_an_exception_and_without_NE_is_an_interrupt_and_left_to_KVM()
    {
        _guest.Cpu.Sregs.cr0 &= ~ControlBits.Cr0Ne;
        _guest.XsaveArea[2] = 0x80;

        Assert.Equal(AssistOutcome.NotMine, _guest.Execute(c => c.wait()));
    }

    [Fact]
    public void A_single_step_ends_behind_the_instruction()
    {
        _guest.Cpu.Regs.rflags |= ControlBits.RflagsTf;

        AssertRaises(new(ExceptionVector.Debug), c => c.popcnt(rax, rcx), rip: AssistGuest.Code + 5, rflags: _guest.Cpu.Regs.rflags | Rflags.Zero);
    }

    [Fact]
    public void A_completed_instruction_clears_RF()
    {
        _guest.Cpu.Regs.rflags |= Rflags.Resume;

        Complete(c => c.lfence());

        Assert.Equal(2ul, _guest.Cpu.Regs.rflags);
    }

    [Fact]
    public void SWAPGS_exchanges_the_base_of_GS_with_the_kernels()
    {
        _guest.Cpu.Sregs.gs.@base = 0x1111;
        _guest.Msrs[KernelGsBase] = 0xffff_8000_0000_2222;

        Complete(c => c.swapgs());

        Assert.Equal((0xffff_8000_0000_2222, 0x1111ul), (_guest.Msrs[GsBase], _guest.Msrs[KernelGsBase]));
    }

    [Fact]
    public void SWAPGS_needs_CPL_0_and_64_bit_code()
    {
        EnterCpl(3);
        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.swapgs());
        Assert.Empty(_guest.Msrs);
    }

    [Fact]
    public void The_bases_of_FS_and_GS_are_read_and_written_by_size()
    {
        _guest.Cpu.Sregs.fs.@base = 0x1234_5678_9abc;
        Complete(c => c.rdfsbase(rax));
        Complete(c => c.rdfsbase(ecx));
        Assert.Equal((0x1234_5678_9abcul, 0x5678_9abcul), (_guest.Cpu.Regs.rax, _guest.Cpu.Regs.rcx));

        _guest.Cpu.Regs.rdx = 0xffff_8000_8765_4321;
        Complete(c => c.wrgsbase(rdx));
        Assert.Equal(0xffff_8000_8765_4321, _guest.Msrs[GsBase]);
        Complete(c => c.wrgsbase(edx));
        Assert.Equal(0x8765_4321ul, _guest.Msrs[GsBase]);
    }

    [Fact]
    public void A_base_must_be_canonical_and_the_instructions_turned_on()
    {
        _guest.Cpu.Regs.rdx = 1UL << 60;
        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.wrgsbase(rdx));

        _guest.Cpu.Sregs.cr4 &= ~ControlBits.Cr4Fsgsbase;
        AssertRaises(new(ExceptionVector.InvalidOpcode), c => c.rdgsbase(rdx));
    }

    [Theory]
    [InlineData("rdrand ax", 0xffff_ffff_ffff_0000, 0x0123_4567_89ab_0000)]
    [InlineData("rdseed eax", 0xffff_ffff_0000_0000, 0ul)]
    [InlineData("rdrand rax", 0ul, 0ul)]
    public void Random_numbers_have_the_registers_size_and_set_carry_alone(string form, ulong others, ulong expected)
    {
        HashSet<ulong> seen = [];
        for (int i = 0; i < 64; i++)
        {
            _guest.Cpu.Regs.rax = 0x0123_4567_89ab_cdef;
            _guest.Cpu.Regs.rflags = 2 | Rflags.Status & ~Rflags.Carry;
            Complete(form switch
            {
                "rdrand ax" => c => c.rdrand(ax),
                "rdseed eax" => c => c.rdseed(eax),
                _ => c => c.rdrand(rax),
            });
            Assert.Equal(2 | Rflags.Carry, _guest.Cpu.Regs.rflags);
            Assert.Equal(expected, _guest.Cpu.Regs.rax & others);
            seen.Add(_guest.Cpu.Regs.rax);
        }

        Assert.True(seen.Count > 50);
    }

    [Fact]
    public void What_CPUID_does_not_offer_does_not_exist()
    {
        _guest.Cpu.Features = AssistFeatures.None;
        foreach (Action<Assembler> write in (Action<Assembler>[])
        [
            c => c.popcnt(eax, eax), c => c.andn(eax, eax, eax), c => c.pdep(eax, eax, eax), c => c.mulx(eax, ecx, edx),
            c => c.adcx(eax, eax), c => c.crc32(eax, al), c => c.movbe(eax, __dword_ptr[rsi]), c => c.cmpxchg16b(__[rsi]),
            c => c.lfence(), c => c.clflush(__byte_ptr[rsi]), c => c.clflushopt(__byte_ptr[rsi]), c => c.clwb(__byte_ptr[rsi]),
            c => c.rdrand(eax), c => c.rdseed(eax), c => c.rdfsbase(rax),
        ])
            AssertRaises(new(ExceptionVector.InvalidOpcode), write);

        // They are BSR and BSF then.
        Assert.Equal(AssistOutcome.NotMine, _guest.Execute(c => c.lzcnt(eax, eax)));
        Assert.Equal(AssistOutcome.NotMine, _guest.Execute(c => c.tzcnt(eax, eax)));
    }

    [Fact]
    public void VEX_does_not_exist_in_real_mode()
    {
        _guest.EnterRealMode();

        Assert.Equal(AssistOutcome.Raised, _guest.Execute(AssistGuest.Assembled(c => c.andn(eax, ecx, edx), bits: 16)));
        Assert.Equal(new(ExceptionVector.InvalidOpcode), _guest.Assist.Exception);
    }

    [Theory]
    [InlineData(new byte[] { 0x90 })] // nop
    [InlineData(new byte[] { 0x0f, 0x0b })] // ud2
    [InlineData(new byte[] { 0xd9, 0xe8 })] // fld1
    [InlineData(new byte[] { 0x0f, 0xfc, 0xc1 })] // paddb mm0, mm1
    [InlineData(new byte[] { 0x66, 0x0f, 0xf7, 0xc1 })] // maskmovdqu xmm0, xmm1
    [InlineData(new byte[] { 0xf0, 0xf3, 0x0f, 0xb8, 0xc1 })] // lock popcnt
    [InlineData(new byte[] { 0x06 })] // not in 64-bit code
    public void What_the_assist_does_not_know_it_leaves_alone(byte[] code)
    {
        kvm_regs before = _guest.Cpu.Regs;

        Assert.Equal(AssistOutcome.NotMine, _guest.Execute(code));
        Assert.Equal(before with { rip = AssistGuest.Code }, _guest.Cpu.Regs);
    }

    [Fact]
    public void After_the_first_of_its_kind_nothing_is_allocated()
    {
        byte[][] codes =
        [
            AssistGuest.Assembled(c => c.popcnt(rax, __qword_ptr[rsi])), AssistGuest.Assembled(c => c.@lock.cmpxchg16b(__[rsi])),
            AssistGuest.Assembled(c => c.stac()), AssistGuest.Assembled(c => c.wait()), AssistGuest.Assembled(c => c.int3()),
            AssistGuest.Assembled(c => c.pdep(rax, rcx, __qword_ptr[rsi])), AssistGuest.Assembled(c => c.rdrand(rax)),
            AssistGuest.Assembled(c => c.movbe(__qword_ptr[rsi + rcx * 8], rax)), AssistGuest.Assembled(c => c.swapgs()),
        ];
        _guest.Msrs[KernelGsBase] = 0;
        _guest.Cpu.Regs.rsi = AssistGuest.Data;
        Assert.Equal(0, Allocations.Steady(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            foreach (byte[] code in codes)
            {
                _guest.Cpu.Regs.rcx = 0;
                _ = _guest.Execute(code);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    private void EnterCpl(byte cpl)
    {
        _guest.Cpu.Sregs.ss.dpl = cpl;
        if (cpl == 3)
            _guest.Map(AssistGuest.Code, AssistGuest.Code, AssistGuest.Present | AssistGuest.User);
    }

    private void Complete(Action<Assembler> write) => Assert.Equal(AssistOutcome.Completed, _guest.Execute(write));

    private void AssertRaises(GuestException expected, Action<Assembler> write, ulong? rip = null, ulong? rflags = null)
    {
        kvm_regs before = _guest.Cpu.Regs;
        Assert.Equal(AssistOutcome.Raised, _guest.Execute(write));
        Assert.Equal(expected, _guest.Assist.Exception);
        Assert.Equal(
            before with
            {
                rip = rip ?? AssistGuest.Code,
                rflags = rflags ?? (rip is null ? before.rflags | Rflags.Resume : before.rflags),
            },
            _guest.Cpu.Regs with { rax = before.rax });
        _guest.Cpu.Regs.rflags = before.rflags;
    }
}
