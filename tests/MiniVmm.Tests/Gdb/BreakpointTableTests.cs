using CsCheck;
using MiniVmm.Gdb;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Gdb;

public sealed unsafe class BreakpointTableTests
{
    private readonly BreakpointTable _table = new();

    [Fact]
    public void The_first_four_are_in_debug_registers_mapped_or_not_and_nothing_is_written()
    {
        for (ulong i = 0; i < 4; i++)
            _table.Set(Software(0xffff_ffff_8000_0000 + i));

        BreakpointPlan plan = _table.Plan(_ => throw new InvalidOperationException("nobody needs to know"));

        Assert.Equal(4, plan.Registers.Count);
        Assert.Empty(plan.Written);
        Assert.Empty(plan.Pending);
    }

    [Fact]
    public void Those_that_are_not_mapped_get_the_registers_first()
    {
        for (ulong i = 0; i < 8; i++)
            _table.Set(Software(i));

        BreakpointPlan plan = _table.Plan(address => address < 3);

        Assert.Equal([3, 4, 5, 6], plan.Registers.Select(register => register.Address));
        Assert.Equal([0, 1, 2], plan.Written);
        Assert.Equal([7], plan.Pending);
    }

    [Theory]
    [InlineData(0x1000, 8, "1000/8")]
    [InlineData(0x1001, 1, "1001/1")]
    [InlineData(0x1002, 4, "1002/2 1004/2")]
    [InlineData(0x1001, 8, "1001/1 1002/2 1004/4 1008/1")]
    [InlineData(0x1000, 32, "1000/8 1008/8 1010/8 1018/8")]
    public void A_watchpoint_takes_as_many_registers_as_its_bytes_need(ulong address, int length, string registers)
    {
        Assert.Equal(BreakpointAnswer.Done, _table.Set(new(BreakpointKind.WriteWatch, address, length)));

        Assert.Equal(
            registers, string.Join(' ', _table.Plan(_ => true).Registers.Select(each => $"{each.Address:x}/{each.Length}")));
    }

    [Theory]
    [InlineData(0x1000, 33)]
    [InlineData(0x1001, 32)]
    [InlineData(0x1001, int.MaxValue)]
    public void A_watchpoint_that_needs_more_than_there_are_is_refused(ulong address, int length) =>
        Assert.Equal(BreakpointAnswer.Full, _table.Set(new(BreakpointKind.AccessWatch, address, length)));

    [Fact]
    public void However_many_are_set_and_cleared_each_has_one_place() =>
        Gen.Select(Gen.Int[0, 4], Gen.ULong[0, 40], Gen.Int[0, 9], Gen.Bool).Array[0, 60].Sample(steps =>
        {
            BreakpointTable table = new();
            foreach ((int kind, ulong address, int length, bool isSet) in steps)
            {
                Breakpoint breakpoint = new((BreakpointKind)kind, address, length);
                if (isSet)
                    _ = table.Set(breakpoint);
                else
                    table.Clear(breakpoint);
            }

            BreakpointPlan plan = table.Plan(address => address % 3 != 0);

            Assert.InRange(plan.Registers.Count, 0, 4);
            Assert.All(plan.Registers, register => Assert.True(register.Address % (ulong)register.Length == 0));
            Assert.All(
                table.All.Where(each => each.Kind == BreakpointKind.Software),
                each => Assert.True(
                    plan.Registers.Any(register => register.Breakpoint == each) || plan.Written.Contains(each.Address)
                    || plan.Pending.Contains(each.Address)));
            Assert.All(
                table.All.Where(each => each.Kind != BreakpointKind.Software),
                each => Assert.Contains(plan.Registers, register => register.Breakpoint == each));
        });

    [Fact]
    public void The_processor_is_told_what_to_watch_for()
    {
        _table.Set(new(BreakpointKind.WriteWatch, 0x1000, 4));
        _table.Set(new(BreakpointKind.AccessWatch, 0x2000, 8));
        _table.Set(Software(0x3000));
        BreakpointPlan plan = _table.Plan(_ => true);

        kvm_guest_debug debug = DebugControl.Build(plan, steps: true, holdsInterrupts: true);

        Assert.Equal(
            KvmConstants.KVM_GUESTDBG_ENABLE | KvmConstants.KVM_GUESTDBG_USE_HW_BP | KvmConstants.KVM_GUESTDBG_SINGLESTEP
            | KvmConstants.KVM_GUESTDBG_BLOCKIRQ,
            debug.control);
        Assert.Equal(
            (0x1000UL, 0x2000UL, 0x3000UL, 0UL),
            (debug.arch.debugreg[0], debug.arch.debugreg[1], debug.arch.debugreg[2], debug.arch.debugreg[3]));

        // SDM vol. 3, 18.2.4: G0 to G2; of DR0 writes (1) of four bytes (3), of DR1 accesses (3) to eight (2).
        Assert.Equal((1UL << 10) | 0b101010 | (0b1101UL << 16) | (0b1011UL << 20), debug.arch.debugreg[7]);
        Assert.Equal(0x2000UL, DebugControl.Hit(plan, 0b10)?.Address);
        Assert.Null(DebugControl.Hit(plan, DebugControl.Dr6SingleStep));
    }

    [Fact]
    public void Without_breakpoints_KVM_is_told_to_forget() =>
        Assert.Equal(0U, DebugControl.Build(BreakpointPlan.Nothing, steps: false, holdsInterrupts: false).control);

    [Fact]
    public void Interrupts_are_held_back_with_and_without_breakpoints()
    {
        const uint Both = KvmConstants.KVM_GUESTDBG_ENABLE | KvmConstants.KVM_GUESTDBG_BLOCKIRQ;

        Assert.Equal(Both, DebugControl.HoldingInterrupts(default).control);
        kvm_guest_debug debug = new() { control = KvmConstants.KVM_GUESTDBG_ENABLE | KvmConstants.KVM_GUESTDBG_USE_SW_BP };
        debug.arch.debugreg[3] = 0x1000;
        kvm_guest_debug held = DebugControl.HoldingInterrupts(debug);
        Assert.Equal(Both | KvmConstants.KVM_GUESTDBG_USE_SW_BP, held.control);
        Assert.Equal(0x1000UL, held.arch.debugreg[3]);
    }

    private static Breakpoint Software(ulong address) => new(BreakpointKind.Software, address, 1);
}
