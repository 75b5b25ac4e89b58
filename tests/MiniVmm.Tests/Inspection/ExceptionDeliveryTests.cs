using MiniVmm.Inspection;

namespace MiniVmm.Tests.Inspection;

public sealed class ExceptionDeliveryTests : IDisposable
{
    private readonly Guest _guest = new(0x0f, 0x0b);

    public ExceptionDeliveryTests() => _guest.Gate(6, Guest.Code + 0x100);

    [Fact]
    public void A_good_gate_leads_to_the_handler_with_a_frame_on_the_stack()
    {
        Assert.Null(ExceptionDelivery.Find(_guest.View, 6, false, out Delivery delivery));
        Assert.Equal(new(Guest.Code + 0x100, Guest.Stack - 40), delivery);
    }

    [Fact]
    public void Another_stack_of_the_TSS_is_used_where_the_gate_says_so()
    {
        _guest.Gate(6, Guest.Code + 0x100, ist: 1);

        Assert.Null(ExceptionDelivery.Find(_guest.View, 6, false, out Delivery delivery));
        Assert.Equal(Guest.Stack - 0x1000 - 40, delivery.Stack);
    }

    [Fact]
    public void Each_mistake_is_told_and_raises_its_exception()
    {
        Fails(DeliveryProblem.NoIdt, 13, 0x32, g => g.Sregs.idt.limit = 0);
        Fails(DeliveryProblem.BeyondIdtLimit, 13, 0x32, g => g.Sregs.idt.limit = 6 * 16 - 1);
        Fails(DeliveryProblem.IdtNotMapped, 14, 0, g => g.Map(Guest.Idt, 0));
        Fails(DeliveryProblem.GateEmpty, 13, 0x32, g => g.Gate(6, 0, 0, 0));
        Fails(DeliveryProblem.GateType, 13, 0x32, g => g.Gate(6, Guest.Code, type: 0x85));
        Fails(DeliveryProblem.GateNotPresent, 11, 0x32, g => g.Gate(6, Guest.Code, type: 0x0e));
        Fails(DeliveryProblem.CodeSelectorNull, 13, 0, g => g.Gate(6, Guest.Code, selector: 3));
        Fails(DeliveryProblem.CodeSelectorBeyondTable, 13, 0x40, g => g.Gate(6, Guest.Code, selector: 0x40));
        Fails(DeliveryProblem.GdtNotMapped, 14, 0, g => g.Map(Guest.Gdt, 0));
        Fails(DeliveryProblem.NotACodeSegment, 13, 0x10, g => g.Gate(6, Guest.Code, selector: 0x10));
        Fails(DeliveryProblem.CodeNotPresent, 11, 0x18, g => g.Put(Guest.Gdt + 0x18, 0x00af1b000000ffff));
        Fails(DeliveryProblem.CodePrivilege, 13, 0x18, g => g.Put(Guest.Gdt + 0x18, 0x00affb000000ffff));
        Fails(DeliveryProblem.CodeNot64Bit, 13, 0x08, g => g.Gate(6, Guest.Code, selector: 0x08));
        Fails(DeliveryProblem.NoTss, 10, 0, g => { g.Gate(6, Guest.Code, ist: 1); g.Sregs.tr.selector = 0; });
        Fails(DeliveryProblem.TssTooShort, 10, 0x30, g => { g.Gate(6, Guest.Code, ist: 1); g.Sregs.tr.limit = 42; });
        Fails(DeliveryProblem.TssNotMapped, 14, 0, g => { g.Gate(6, Guest.Code, ist: 1); g.Map(Guest.Tss, 0); });
        Fails(DeliveryProblem.StackNotCanonical, 12, 0, g => g.Regs.rsp = 1UL << 63);
        Fails(DeliveryProblem.StackNotMapped, 14, 2, g => g.Regs.rsp = Guest.Unmapped);
        Fails(DeliveryProblem.StackReadOnly, 14, 3, g => g.Map(Guest.Stack - 0x1000, Guest.Stack - 0x1000 | 1));
        Fails(DeliveryProblem.HandlerNotCanonical, 13, 0, g => g.Gate(6, 1UL << 63));
    }

    [Fact]
    public void A_frame_that_reaches_a_page_that_is_not_mapped_fails_there()
    {
        _guest.Regs.rsp = Guest.Stack - 0x4000 + 16;

        DeliveryFault fault = ExceptionDelivery.Find(_guest.View, 6, false, out _)!;

        Assert.Equal((DeliveryProblem.StackNotMapped, Guest.Stack - 0x4000 + 16 - 40), (fault.Problem, fault.Address));
    }

    [Fact]
    public void User_code_may_call_gates_of_its_level_only()
    {
        _guest.Sregs.ss.dpl = 3;
        _guest.Put(Guest.Tss + 4, Guest.Stack);

        Assert.Equal(DeliveryProblem.GatePrivilege, ExceptionDelivery.Find(_guest.View, 6, true, out _)!.Problem);
        Assert.Null(ExceptionDelivery.Find(_guest.View, 6, false, out Delivery delivery));
        Assert.Equal(Guest.Stack - 40, delivery.Stack);
    }

    [Fact]
    public void A_chain_ends_in_a_triple_fault_or_at_a_handler()
    {
        _guest.Gate(6, 0, 0, 0);
        FaultChain dead = FaultChain.From(_guest.View, 6, false);
        Assert.Equal(["6", "13", "8"], dead.Steps.Select(step => $"{step.Vector}"));
        Assert.True(dead.IsTripleFault);

        _guest.Gate(8, Guest.Unmapped);
        FaultChain handled = FaultChain.From(_guest.View, 6, false);
        Assert.False(handled.IsTripleFault);
        Assert.Equal(FaultCause.CodeNotMapped, handled.HandlerFault!.Cause);
    }

    [Fact]
    public void In_real_mode_a_handler_is_four_bytes_of_the_table_at_0()
    {
        _guest.Sregs.cr0 = 0x10;
        _guest.Sregs.efer = 0;
        _guest.Sregs.idt = new() { @base = 0, limit = 0x3ff };
        _guest.Sregs.ss.@base = 0x1_0000;
        _guest.Regs.rsp = 0x100;
        _guest.Put(6 * 4, 0xf000_1234);

        Assert.Null(ExceptionDelivery.Find(_guest.View, 6, false, out Delivery delivery));
        Assert.Equal(new(0xf_1234, 0x1_00fa), delivery);
    }

    public void Dispose() => _guest.Dispose();

    private static void Fails(DeliveryProblem problem, byte vector, uint error, Action<Guest> spoil)
    {
        using Guest guest = new(0x0f, 0x0b);
        guest.Gate(6, Guest.Code + 0x100);
        spoil(guest);

        DeliveryFault fault = ExceptionDelivery.Find(guest.View, 6, false, out _)!;

        Assert.Equal((problem, vector, error), (fault.Problem, fault.Vector, fault.ErrorCode));
    }
}
