using MiniVmm.Kvm;
using MiniVmm.Machine;

namespace MiniVmm.Tests.Machine;

public sealed class BiosInterruptsTests
{
    [Fact]
    public void The_timer_runs_at_its_slowest_and_takes_a_new_count_without_a_control_word()
    {
        kvm_pit_state2 reset = new() { flags = 7 };
        reset.Channel(0) = new() { mode = 0xff, gate = 1, count = 0x10000 };
        reset.Channel(2) = new() { mode = 0xff, gate = 0, count = 0x1234 };

        kvm_pit_state2 state = BiosInterrupts.Pit(reset);

        kvm_pit_channel_state timer = state.Channel(0);
        Assert.Equal((2, 3, 3, 3), (timer.mode, timer.rw_mode, timer.read_state, timer.write_state));
        Assert.Equal((0x10000u, 0, 1), (timer.count, timer.bcd, timer.gate));
        Assert.Equal(reset.Channel(2), state.Channel(2));
        Assert.Equal(7u, state.flags);
    }

    [Fact]
    public void A_8259_has_the_vector_and_the_mask_and_keeps_the_rest()
    {
        kvm_pic_state state = BiosInterrupts.Pic(new() { elcr_mask = 0xf8, irr = 1 }, 0x70, 0x8e, 0);

        Assert.Equal((0x70, 0x8e, 1, 0), (state.irq_base, state.imr, state.init4, state.init_state));
        Assert.Equal((0xf8, 1), (state.elcr_mask, state.irr));
    }

    [Fact]
    public void A_channel_that_is_not_there_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new kvm_pit_state2().Channel(3));
}
