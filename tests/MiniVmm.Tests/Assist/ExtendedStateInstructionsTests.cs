using Iced.Intel;
using MiniVmm.Assist;
using MiniVmm.Inspection;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Tests.Assist;

/// <summary>What XSAVE and its kin refuse, and what user code cannot do, against the manual (SDM vol. 1, 13.7 to 13.12).</summary>
public sealed class ExtendedStateInstructionsTests : IDisposable
{
    private const ulong Data = AssistGuest.Data;
    private const uint Xss = 0xda0;
    private readonly AssistGuest _guest = new();

    public ExtendedStateInstructionsTests()
    {
        _guest.Cpu.Regs.rsi = Data;
        _guest.Cpu.Regs.rax = 7;
        BitConverter.TryWriteBytes(_guest.XsaveArea.AsSpan(24), 0x1f80u);
        BitConverter.TryWriteBytes(_guest.XsaveArea.AsSpan(28), 0xffffu);
    }

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(512, 8ul)] // XSTATE_BV: not in XCR0
    [InlineData(512 + 7, 1ul)]
    [InlineData(520, 1ul)] // XCOMP_BV of the standard form
    [InlineData(528, 1ul)] // reserved
    [InlineData(24, 0x1_0000ul)] // MXCSR
    public void A_bad_image_is_a_general_protection_fault_and_changes_nothing(int at, ulong value)
    {
        Assert.True(_guest.Memory.TryWrite(Data + (ulong)at, value));

        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.xrstor64(__[rsi]));
        Assert.False(_guest.ImageKept);
    }

    [Theory]
    [InlineData(512, 4ul, 3ul)] // XSTATE_BV beyond XCOMP_BV
    [InlineData(528, 1ul, 7ul)] // reserved
    [InlineData(568, 1ul, 7ul)]
    [InlineData(520, 8ul, 8ul)] // XCOMP_BV beyond XCR0
    public void So_is_a_bad_one_of_the_compacted_form(int at, ulong value, ulong format)
    {
        Assert.True(_guest.Memory.TryWrite(Data + 520, 1UL << 63 | format));
        if (at != 520)
            Assert.True(_guest.Memory.TryWrite(Data + (ulong)at, value));

        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.xrstor64(__[rsi]));
        Assert.False(_guest.ImageKept);
    }

    [Fact]
    public void XRSTORS_takes_the_compacted_form_alone_at_CPL_0()
    {
        _guest.Msrs[Xss] = 0;
        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.xrstors64(__[rsi]));

        Assert.True(_guest.Memory.TryWrite(Data + 520, 1UL << 63 | 7));
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.xrstors64(__[rsi])));
        Assert.True(_guest.ImageKept);

        _guest.Map(AssistGuest.Code, AssistGuest.Code, AssistGuest.Present | AssistGuest.User);
        _guest.Cpu.Sregs.ss.dpl = 3;
        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.xrstors64(__[rsi]));
        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.xsaves64(__[rsi]));
    }

    [Theory]
    [InlineData(32ul, false, ExceptionVector.GeneralProtection)]
    [InlineData(0ul, true, ExceptionVector.DeviceNotAvailable)]
    public void The_area_must_be_aligned_and_the_task_not_switched(ulong offset, bool taskSwitched, byte vector)
    {
        _guest.Cpu.Regs.rsi = Data + offset;
        if (taskSwitched)
            _guest.Cpu.Sregs.cr0 |= ControlBits.Cr0Ts;
        GuestException expected = new(vector, vector == ExceptionVector.GeneralProtection ? 0u : null);

        AssertRaises(expected, c => c.xsave64(__[rsi]));
        AssertRaises(expected, c => c.xsavec64(__[rsi]));
        AssertRaises(expected, c => c.xrstor64(__[rsi]));
    }

    [Fact]
    public void Without_OSXSAVE_none_of_them_exists()
    {
        _guest.Cpu.Sregs.cr4 &= ~ControlBits.Cr4Osxsave;

        AssertRaises(new(ExceptionVector.InvalidOpcode), c => c.xsave64(__[rsi]));
        AssertRaises(new(ExceptionVector.InvalidOpcode), c => c.xrstor64(__[rsi]));
        AssertRaises(new(ExceptionVector.InvalidOpcode), c => c.xgetbv());
    }

    [Fact]
    public void An_area_that_reaches_a_page_that_is_not_there_is_not_written_at_all()
    {
        _guest.Cpu.Regs.rsi = Data + 0x1000 - 64;
        _guest.Map(Data + 0x1000, 0, 0);

        AssertRaises(new(ExceptionVector.PageFault, 2, Data + 0x1000), c => c.xsave64(__[rsi]));
        AssertRaises(new(ExceptionVector.PageFault, 0, Data + 0x1000), c => c.xrstor64(__[rsi]));
        Assert.True(_guest.Memory.TryRead(Data + 0x1000 - 64, out ulong left));
        Assert.Equal(0ul, left);
    }

    [Fact]
    public void Without_REX_W_the_pointers_of_x87_are_left_to_KVM_if_there_are_any()
    {
        _guest.XsaveArea[8] = 1;
        _guest.XsaveArea[512] = 1;

        Assert.Equal(AssistOutcome.NotMine, _guest.Execute(c => c.xsave(__[rsi])));
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.xsave64(__[rsi])));
        Assert.Equal(AssistOutcome.NotMine, _guest.Execute(c => c.xrstor(__[rsi])));
    }

    [Fact]
    public void XGETBV_gives_XCR0_and_what_of_it_is_in_use()
    {
        _guest.XsaveArea[512] = 0x42;
        _guest.Cpu.Regs.rcx = 0;
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.xgetbv()));
        Assert.Equal((7ul, 0ul), (_guest.Cpu.Regs.rax, _guest.Cpu.Regs.rdx));

        _guest.Cpu.Regs.rcx = 1;
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.xgetbv()));
        Assert.Equal((2ul, 0ul), (_guest.Cpu.Regs.rax, _guest.Cpu.Regs.rdx));

        _guest.Cpu.Regs.rcx = 2;
        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.xgetbv());
    }

    [Fact]
    public void MXCSR_is_loaded_and_stored_and_must_not_have_reserved_bits()
    {
        Assert.True(_guest.Memory.TryWrite(Data, 0x7f80u));
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.ldmxcsr(__dword_ptr[rsi])));
        Assert.Equal(0x7f80u, BitConverter.ToUInt32(_guest.XsaveArea, 24));
        _guest.Cpu.Regs.rsi = Data + 4;
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.stmxcsr(__dword_ptr[rsi])));
        Assert.True(_guest.Memory.TryRead(Data + 4, out ulong stored));
        Assert.Equal(0x7f80ul, stored);

        Assert.True(_guest.Memory.TryWrite(Data + 4, 0x2_0000u));
        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.ldmxcsr(__dword_ptr[rsi]));
    }

    [Fact]
    public void Protection_keys_are_read_and_written_where_they_are_turned_on()
    {
        _guest.Cpu.Regs.rcx = 0;
        _guest.Cpu.Regs.rdx = 0;
        AssertRaises(new(ExceptionVector.InvalidOpcode), c => c.rdpkru());

        _guest.Cpu.Sregs.cr4 |= 1 << 22;
        _guest.Cpu.Regs.rax = 0x5555_5554;
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.wrpkru()));
        _guest.Cpu.Regs.rax = 0;
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.rdpkru()));
        Assert.Equal(0x5555_5554ul, _guest.Cpu.Regs.rax);

        _guest.Cpu.Regs.rdx = 1;
        AssertRaises(new(ExceptionVector.GeneralProtection, 0), c => c.wrpkru());
    }

    private void AssertRaises(GuestException expected, Action<Assembler> write)
    {
        Assert.Equal(AssistOutcome.Raised, _guest.Execute(write));
        Assert.Equal(expected, _guest.Assist.Exception);
        _guest.Cpu.Regs.rflags = 2;
    }
}
