using MiniVmm.Assist;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Tests.Assist;

/// <summary>An operand or code that cannot be accessed raises what the processor raises, and leaves everything else alone.</summary>
public sealed class OperandFaultTests : IDisposable
{
    private const ulong Data = AssistGuest.Data;
    private const ulong Wild = 0x0000_8000_0000_0000;
    private const uint P = 1, W = 2, Reserved = 8, I = 16;
    private readonly AssistGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(0ul, false, 0u)]
    [InlineData(0ul, true, W)]
    [InlineData(AssistGuest.Present, true, P | W)] // read-only, with CR0.WP
    [InlineData(AssistGuest.Present | 1UL << 51, false, P | Reserved)]
    public void A_page_that_does_not_allow_it_is_a_page_fault(ulong entry, bool write, uint errorCode)
    {
        _guest.Cpu.PhysicalBits = 48;
        _guest.Map(Data, entry == 0 ? 0 : Data, entry);
        _guest.Cpu.Regs.rsi = Data + 0x123;

        AssertFault(write, new(ExceptionVector.PageFault, errorCode, Data + 0x123));
        Assert.Equal(entry | (entry == 0 ? 0 : Data), _guest.EntryOf(Data)); // neither accessed nor dirty
    }

    [Fact]
    public void The_supervisor_is_kept_off_user_pages_by_SMAP_unless_AC_is_set()
    {
        _guest.Map(Data, Data, AssistGuest.Present | AssistGuest.Writable | AssistGuest.User);
        _guest.Cpu.Sregs.cr4 |= ControlBits.Cr4Smap;
        _guest.Cpu.Regs.rsi = Data;
        AssertFault(write: false, new(ExceptionVector.PageFault, P, Data));
        AssertFault(write: true, new(ExceptionVector.PageFault, P | W, Data));

        _guest.Cpu.Regs.rflags = ControlBits.RflagsAc | 2;
        Assert.Equal(AssistOutcome.Completed, Execute(write: true));
    }

    [Fact]
    public void A_read_only_page_can_be_written_by_the_supervisor_without_WP()
    {
        _guest.Map(Data, Data, AssistGuest.Present);
        _guest.Cpu.Sregs.cr0 &= ~ControlBits.Cr0Wp;
        _guest.Cpu.Regs.rsi = Data;

        Assert.Equal(AssistOutcome.Completed, Execute(write: true));
    }

    [Theory]
    [InlineData(false, 0x20ul)]
    [InlineData(true, 0x60ul)]
    public void What_is_accessed_is_marked_accessed_and_what_is_written_dirty(bool write, ulong marks)
    {
        _guest.Cpu.Regs.rsi = Data;

        Assert.Equal(AssistOutcome.Completed, Execute(write));

        Assert.Equal(Data | AssistGuest.Present | AssistGuest.Writable | marks, _guest.EntryOf(Data));
        Assert.Equal(0x20ul, _guest.EntryOf(AssistGuest.Code) & 0x60);
        Assert.True(_guest.Memory.TryRead(0x3000, out ulong directory));
        Assert.Equal(0x20ul, directory & 0x60);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_an_operand_across_two_pages_the_fault_is_at_the_page_that_lacks_and_nothing_is_written(bool write)
    {
        _guest.Map(Data + 0x1000, 0, 0);
        _guest.Cpu.Regs.rsi = Data + 0xffd;
        _guest.Cpu.Regs.rax = ulong.MaxValue;

        AssertFault(write, new(ExceptionVector.PageFault, write ? W : 0, Data + 0x1000));
        Assert.True(_guest.Memory.TryRead(Data + 0xff8, out ulong left));
        Assert.Equal(0ul, left);
    }

    [Fact]
    public void An_operand_may_lie_in_two_pages_that_are_far_apart()
    {
        _guest.Map(Data + 0x1000, 0x50000, AssistGuest.Present | AssistGuest.Writable);
        _guest.Cpu.Regs.rsi = Data + 0xffe;
        _guest.Cpu.Regs.rax = 0x1122_3344_5566_7788;

        Assert.Equal(AssistOutcome.Completed, Execute(write: true));

        Assert.True(_guest.Memory.TryRead(Data + 0xffe, out ushort first));
        Assert.True(_guest.Memory.TryRead(0x50000, out uint second));
        Assert.Equal((0x2211, 0x6655_4433u), (first, second));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_address_that_is_not_canonical_is_a_general_protection_fault_without_CR2(bool write)
    {
        foreach (ulong address in (ulong[])[Wild, Wild - 4, 0xffff_7fff_ffff_ffff])
        {
            _guest.Cpu.Regs.rsi = address;
            AssertFault(write, new(ExceptionVector.GeneralProtection, 0));
        }
    }

    [Fact]
    public void On_the_stack_it_is_a_stack_fault()
    {
        _guest.Cpu.Regs.rbp = Wild;

        Assert.Equal(AssistOutcome.Raised, _guest.Execute(c => c.popcnt(rax, __qword_ptr[rbp])));
        Assert.Equal(new(ExceptionVector.StackFault, 0), _guest.Assist.Exception);
    }

    [Fact]
    public void FS_and_GS_have_a_base_in_64_bit_code_and_no_other_segment_has()
    {
        _guest.Cpu.Sregs.gs.@base = Data;
        _guest.Cpu.Sregs.ds.@base = 0x1000;
        Assert.True(_guest.Memory.TryWrite(Data + 8, 0xffUL));

        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.popcnt(rax, __qword_ptr.gs[8])));
        Assert.Equal(8ul, _guest.Cpu.Regs.rax);

        _guest.Cpu.Regs.rsi = Data + 8;
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.popcnt(rax, __qword_ptr.ds[rsi])));
        Assert.Equal(8ul, _guest.Cpu.Regs.rax);
    }

    [Theory]
    [InlineData(0x2000ul)] // a page table in a hole of RAM
    [InlineData(0ul)] // a device's memory
    public void What_is_not_RAM_is_left_to_KVM(ulong table)
    {
        if (table != 0)
            Assert.True(_guest.Memory.TryWrite(table, 0x8000_0000 | AssistGuest.Present | AssistGuest.Writable));
        else
            _guest.Map(Data, 0xfee0_0000, AssistGuest.Present | AssistGuest.Writable);
        _guest.Cpu.Regs.rsi = Data;
        kvm_regs before = _guest.Cpu.Regs;

        Assert.Equal(AssistOutcome.NotMine, Execute(write: false));
        Assert.Equal(before with { rip = AssistGuest.Code }, _guest.Cpu.Regs);
    }

    [Theory]
    [InlineData(AssistGuest.Present | AssistGuest.NoExecute, P | I)]
    [InlineData(0ul, I)]
    [InlineData(AssistGuest.Present | AssistGuest.User, P | I)] // with SMEP
    public void Code_that_reaches_a_page_that_is_not_executable_faults_at_that_page(ulong entry, uint errorCode)
    {
        _guest.Cpu.Sregs.cr4 |= ControlBits.Cr4Smep;
        byte[] code = AssistGuest.Assembled(c => c.popcnt(rax, rcx));
        ulong start = AssistGuest.Code + 0xffe;
        for (int i = 0; i < code.Length; i++)
            Assert.True(_guest.Memory.TryWrite(start + (ulong)i, code[i]));
        _guest.Cpu.Regs.rip = start;
        _guest.Map(AssistGuest.Code + 0x1000, entry == 0 ? 0 : AssistGuest.Code + 0x1000, entry);

        Assert.Equal(AssistOutcome.Raised, _guest.Assist.Execute());
        Assert.Equal(new(ExceptionVector.PageFault, errorCode, AssistGuest.Code + 0x1000), _guest.Assist.Exception);
        Assert.Equal(start, _guest.Cpu.Regs.rip);
    }

    [Fact]
    public void Code_that_ends_before_a_page_that_is_not_there_does_not_touch_it()
    {
        byte[] code = AssistGuest.Assembled(c => c.popcnt(rax, rcx));
        ulong start = AssistGuest.Code + 0x1000 - (ulong)code.Length;
        for (int i = 0; i < code.Length; i++)
            Assert.True(_guest.Memory.TryWrite(start + (ulong)i, code[i]));
        _guest.Cpu.Regs.rip = start;
        _guest.Map(AssistGuest.Code + 0x1000, 0, 0);

        Assert.Equal(AssistOutcome.Completed, _guest.Assist.Execute());
        Assert.Equal(AssistGuest.Code + 0x1000, _guest.Cpu.Regs.rip);
    }

    [Theory]
    [InlineData(0x1000u, 0xffdul, 3, false, false)]
    [InlineData(0x1000u, 0xffeul, 3, false, true)]
    [InlineData(0x0fffu, 0xffcul, 3, false, false)]
    [InlineData(0x0fffu, 0xffdul, 3, false, true)]
    [InlineData(uint.MaxValue, 0ul, 1, true, true)] // read-only
    [InlineData(uint.MaxValue, 0ul, 1, false, false)]
    [InlineData(uint.MaxValue, 0ul, 9, false, true)] // execute-only
    [InlineData(0x1000u, 0x1001ul, 7, false, false)] // expands down
    [InlineData(0x1000u, 0x1000ul, 7, false, true)]
    public void In_32_bit_code_limits_and_types_of_segments_count(
        uint limit, ulong offset, byte type, bool write, bool faults)
    {
        _guest.EnterProtectedMode();
        _guest.Cpu.Sregs.ds = new() { @base = Data, limit = limit, type = type, present = 1, s = 1, db = 1 };
        _guest.Cpu.Regs.rsi = offset;

        AssistOutcome outcome = _guest.Execute(AssistGuest.Assembled(
            c =>
            {
                if (write)
                    c.movbe(__dword_ptr[esi], eax);
                else
                    c.popcnt(eax, __dword_ptr[esi]);
            },
            bits: 32));

        Assert.Equal(faults ? AssistOutcome.Raised : AssistOutcome.Completed, outcome);
        if (faults)
            Assert.Equal(new(ExceptionVector.GeneralProtection, 0), _guest.Assist.Exception);
    }

    [Fact]
    public void In_real_mode_a_fault_has_no_error_code()
    {
        _guest.EnterRealMode();
        _guest.Cpu.Regs.rsi = 0xfffd;

        Assert.Equal(AssistOutcome.Raised, _guest.Execute(AssistGuest.Assembled(c => c.popcnt(eax, __dword_ptr[si]), bits: 16)));
        Assert.Equal(new(ExceptionVector.GeneralProtection), _guest.Assist.Exception);
    }

    [Fact]
    public void Code_behind_the_limit_of_CS_is_a_general_protection_fault()
    {
        _guest.EnterProtectedMode();
        _guest.Cpu.Sregs.cs.limit = (uint)AssistGuest.Code + 2; // POPCNT has 4 bytes

        Assert.Equal(AssistOutcome.Raised, _guest.Execute(AssistGuest.Assembled(c => c.popcnt(eax, ecx), bits: 32)));
        Assert.Equal(new(ExceptionVector.GeneralProtection, 0), _guest.Assist.Exception);
    }

    [Fact]
    public void A_wide_exchange_must_be_aligned_and_needs_a_page_that_can_be_written_even_to_compare()
    {
        _guest.Cpu.Regs.rsi = Data + 8;
        Assert.Equal(AssistOutcome.Raised, _guest.Execute(c => c.cmpxchg16b(__[rsi])));
        Assert.Equal(new(ExceptionVector.GeneralProtection, 0), _guest.Assist.Exception);

        _guest.Cpu.Regs.rsi = Data;
        _guest.Cpu.Regs.rax = 1;
        _guest.Map(Data, Data, AssistGuest.Present);
        Assert.Equal(AssistOutcome.Raised, _guest.Execute(c => c.cmpxchg16b(__[rsi])));
        Assert.Equal(new(ExceptionVector.PageFault, P | W, Data), _guest.Assist.Exception);
    }

    [Fact]
    public void Protection_keys_are_left_to_KVM()
    {
        _guest.Map(Data, Data, AssistGuest.Present | AssistGuest.Writable | AssistGuest.User);
        _guest.Cpu.Sregs.cr4 |= 1 << 22;
        _guest.Cpu.Regs.rsi = Data;

        Assert.Equal(AssistOutcome.NotMine, Execute(write: false));
    }

    private AssistOutcome Execute(bool write) => _guest.Execute(c =>
    {
        if (write)
            c.movbe(__qword_ptr[rsi], rax);
        else
            c.popcnt(rax, __qword_ptr[rsi]);
    });

    private void AssertFault(bool write, GuestException expected)
    {
        kvm_regs before = _guest.Cpu.Regs;
        Assert.Equal(AssistOutcome.Raised, Execute(write));
        Assert.Equal(expected, _guest.Assist.Exception);
        Assert.Equal(before with { rip = AssistGuest.Code, rflags = before.rflags | Rflags.Resume }, _guest.Cpu.Regs);
        _guest.Cpu.Regs.rflags = before.rflags;
    }
}
