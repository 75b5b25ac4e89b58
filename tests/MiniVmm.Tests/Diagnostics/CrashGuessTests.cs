using MiniVmm.Diagnostics;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Diagnostics;

public sealed class CrashGuessTests
{
    /// <summary>A long-mode kernel with everything in place.</summary>
    private static CrashState Healthy
    {
        get
        {
            kvm_sregs sregs = new() { cr0 = 0x8000_0011, efer = 0x500 };
            sregs.cs = new() { selector = 0x10, l = 1 };
            sregs.idt = new() { @base = 0x20_0000, limit = 0xfff };
            return new(new() { rip = 0x10_0000, rsp = 0x8ff0 }, sregs, true, true, true, new byte[] { 0x0f, 0x0b });
        }
    }

    [Fact]
    public void Registers_of_a_reset_processor_say_nothing_of_the_fault()
    {
        CrashState state = Healthy;
        kvm_sregs sregs = state.Sregs;
        sregs.cr0 = 0x6000_0010;
        sregs.cs = new() { selector = 0xf000, @base = 0xffff_0000 };
        state = state with { Regs = new() { rip = 0xfff0 }, Sregs = sregs };

        Assert.True(CrashGuess.IsAfterReset(state));
        Assert.Contains("after INIT", CrashGuess.OfTripleFault(state), StringComparison.Ordinal);
    }

    [Fact]
    public void The_reset_address_alone_is_no_reset()
    {
        CrashState state = Healthy with { Regs = new() { rip = 0xfff0 } };

        Assert.False(CrashGuess.IsAfterReset(state));
    }

    [Fact]
    public void No_IDT_at_all() => Guesses(WithIdt(0, 0), "IDT limit is 0");

    [Fact]
    public void An_IDT_that_is_not_mapped() =>
        Guesses(Healthy with { IdtMapped = false }, "IDT at 0x200000 is not mapped");

    [Theory]
    [InlineData(1, 32 * 16 - 2, 31)]
    [InlineData(1, 14 * 16 - 1, 14)]
    [InlineData(0, 32 * 8 - 2, 31)]
    [InlineData(0, 8 * 8 - 1, 8)]
    public void An_IDT_too_short_for_the_exceptions(byte longMode, ushort limit, int entries) =>
        Guesses(WithIdt(0x20_0000, limit, longMode), $"the IDT has {entries} entries");

    [Theory]
    [InlineData(1, 32 * 16 - 1)]
    [InlineData(0, 32 * 8 - 1)]
    [InlineData(1, 0xffff)]
    public void An_IDT_with_room_for_every_exception_is_not_to_blame(byte longMode, ushort limit) =>
        Guesses(WithIdt(0x20_0000, limit, longMode), "while a double fault was being delivered");

    [Fact]
    public void Code_that_is_not_mapped() =>
        Guesses(Healthy with { CodeMapped = false, Code = default }, "RIP 0x100000 is not mapped");

    [Fact]
    public void A_stack_that_is_not_mapped() => Guesses(Healthy with { StackMapped = false }, "below RSP 0x8ff0");

    [Fact]
    public void Nothing_that_stands_out_points_at_the_IDTs_entries() => Guesses(Healthy, "look at the IDT entries");

    [Fact]
    public void Emulation_fails_where_there_is_no_code() =>
        Assert.Contains(
            "not in RAM",
            CrashGuess.OfEmulation(Healthy with { CodeMapped = false, Code = default }),
            StringComparison.Ordinal);

    [Fact]
    public void Emulation_fails_in_memory_that_nobody_wrote() =>
        Assert.Contains(
            "all zero", CrashGuess.OfEmulation(Healthy with { Code = new byte[48] }), StringComparison.Ordinal);

    [Fact]
    public void Emulation_fails_at_an_instruction_that_KVM_lacks() =>
        Assert.Contains("cannot emulate the instruction", CrashGuess.OfEmulation(Healthy), StringComparison.Ordinal);

    [Theory]
    [InlineData(true, 0x8000_0011, 0x10, 0x000, true)]
    [InlineData(false, 0x8000_0011, 0x10, 0x000, false)] // ordinary KVM
    [InlineData(true, 0x0000_0011, 0x10, 0x000, false)] // paging off
    [InlineData(true, 0x8000_0011, 0x30, 0x000, false)] // PAE
    [InlineData(true, 0x8000_0011, 0x20, 0x500, false)] // long mode
    public void Paging_that_an_emulating_KVM_cannot_run_is_that_KVMs_limit(
        bool emulated, ulong cr0, ulong cr4, ulong efer, bool limit)
    {
        CrashState state = WithIdt(0, 0, longMode: 0);
        kvm_sregs sregs = state.Sregs;
        (sregs.cr0, sregs.cr4, sregs.efer) = (cr0, cr4, efer);
        state = state with { Sregs = sregs, SupervisorEmulated = emulated };

        const string what = "which this host's KVM cannot run";
        string?[] guesses =
            [CrashGuess.OfTripleFault(state), CrashGuess.OfEmulation(state), CrashGuess.OfKvmsLimit(state)];

        Assert.All(guesses, guess => Assert.Equal(limit, guess?.Contains(what, StringComparison.Ordinal) == true));
    }

    private static void Guesses(in CrashState state, string what) =>
        Assert.Contains(what, CrashGuess.OfTripleFault(state), StringComparison.Ordinal);

    private static CrashState WithIdt(ulong at, ushort limit, byte longMode = 1)
    {
        CrashState state = Healthy;
        kvm_sregs sregs = state.Sregs;
        sregs.idt = new() { @base = at, limit = limit };
        sregs.cs.l = longMode;
        return state with { Sregs = sregs };
    }
}
