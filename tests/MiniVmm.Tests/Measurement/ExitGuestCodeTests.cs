using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

/// <summary>The image as code: each loop does what its name says, where the clock looks.</summary>
public sealed class ExitGuestCodeTests
{
    /// <summary>The makers whose processors have VMMCALL (AMD APM vol. 3, CPUID Fn0000_0000).</summary>
    private static readonly string[] MakersWithVmmcall = ["AuthenticAMD", "HygonGenuine"];

    [Fact]
    public void All_of_it_is_instructions_and_branches_lead_to_them()
    {
        List<Instruction> code = [.. ExitGuestCode.From(ExitGuest.CodeAddress)];
        HashSet<ulong> starts = [.. code.Select(instruction => instruction.IP)];

        Instruction[] branches = [.. code.Where(instruction => instruction.FlowControl
            is FlowControl.ConditionalBranch or FlowControl.UnconditionalBranch)];
        Assert.NotEmpty(branches);
        Assert.All(branches, branch => Assert.Contains(branch.NearBranchTarget, starts));
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("pio-out", "out 0C0h,al")]
    [InlineData("pio-in", "in al,0C0h")]
    [InlineData("rep-outs", "mov edx,0C0h", "mov ecx,10h", "mov rsi,r9", "rep outsb")]
    [InlineData("mmio-write", "mov [r10],eax")]
    [InlineData("mmio-read", "mov eax,[r10]")]
    [InlineData("ioeventfd-pio", "out 0C4h,al")]
    [InlineData("ioeventfd-pio-woken", "out 0C6h,al")]
    [InlineData("ioeventfd-mmio", "mov [r10+100h],eax")]
    [InlineData("ioeventfd-mmio-woken", "mov [r10+200h],eax")]
    [InlineData("coalesced-pio", "out 0C8h,al")]
    [InlineData("coalesced-mmio", "mov [r10+1000h],eax")]
    [InlineData("cpuid", "mov eax,1", "cpuid")]
    [InlineData("rdmsr", "mov ecx,1Bh", "rdmsr")]
    public void The_timed_form_has_just_this_between_two_readings_of_the_clock(string name, params string[] body) =>
        Assert.Equal(body, ExitGuestCode.Timed(name));

    [Fact]
    public void The_hypercall_is_the_processors_own()
    {
        (_, int b, int c, int d) = X86Base.CpuId(0, 0);
        string maker = System.Text.Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>((int[])[b, d, c]));

        Assert.Equal([MakersWithVmmcall.Contains(maker) ? "vmmcall" : "vmcall"], ExitGuestCode.Timed("hypercall"));
        Assert.Equal(3, ExitLoop.All.Single(loop => loop.Name == "hypercall").Ring);
    }

    [Fact]
    public void The_ipi_is_sent_and_waited_for_between_two_readings_of_the_clock()
    {
        string[] timed = [.. ExitGuestCode.Timed("ipi")];

        Assert.Equal(["mov eax,41h", "mov edx,1", "wrmsr", "cmp dword ptr [r12],0"], timed[..4]);
        Assert.StartsWith("je ", timed[4]);
        Assert.Equal(5, timed.Length);
    }

    [Theory]
    [InlineData("hlt-irqfd", LoopForm.Plain, 1)]
    [InlineData("ipi", LoopForm.Timed, 0)]
    public void Who_waits_for_an_interrupt_halts_and_only_he(string name, LoopForm form, int halts) =>
        Assert.Equal(
            halts, ExitGuestCode.Loop(name, form).Count(instruction => instruction.Mnemonic == Mnemonic.Hlt));

    [Theory]
    [InlineData("hlt-irqfd")]
    [InlineData("ipi-receiver")]
    public void Interrupts_open_with_the_halt_so_that_none_comes_before_it(string name)
    {
        // An interrupt cannot come between STI and the instruction behind it (SDM vol. 2, STI).
        ulong entry = Assert.NotNull(ExitGuestCode.Guest.Entry(name, LoopForm.Plain));
        Mnemonic[] first = [.. ExitGuestCode.From(entry).Take(30).Select(instruction => instruction.Mnemonic)];

        int sti = Array.IndexOf(first, Mnemonic.Sti);
        Assert.True(sti >= 0);
        Assert.Equal(Mnemonic.Hlt, first[sti + 1]);
    }

    [Fact]
    public void A_kick_comes_upon_a_loop_that_shows_that_it_runs_and_never_ends()
    {
        ulong entry = Assert.NotNull(ExitGuestCode.Guest.Entry("kick", LoopForm.Plain));
        Instruction[] code = [.. ExitGuestCode.From(entry).TakeWhile(each => each.Mnemonic != Mnemonic.Jmp)];
        Instruction jump = ExitGuestCode.From(entry).ElementAt(code.Length);

        Assert.Equal("inc dword ptr [r12]", code[^1].ToString());
        Assert.Equal(code[^1].IP, jump.NearBranchTarget);
        Assert.All(code[..^1], setup => Assert.Equal(Mnemonic.Mov, setup.Mnemonic));
    }

    [Fact]
    public void The_plain_form_has_the_same_body_and_reads_no_clock()
    {
        foreach (ExitLoop loop in ExitLoop.All.Where(loop => loop.Clock == LoopClock.Host))
        {
            string[] plain = [.. ExitGuestCode.Loop(loop.Name, LoopForm.Plain).Select(each => each.ToString())];
            string[] body = [.. ExitGuestCode.Timed(loop.Name)];

            Assert.DoesNotContain("rdtsc", plain);
            int turn = plain.Length - 3 - body.Length; // dec, jnz, out
            Assert.Equal(body, plain[turn..^3]);
            Assert.Equal("dec edi", plain[^3]);
            Assert.StartsWith("jne ", plain[^2]);
            Assert.All(plain[..turn], setup => Assert.StartsWith("mov r", setup));
        }
    }

    [Fact]
    public void Each_loop_turns_back_to_where_its_turn_begins()
    {
        foreach (ExitLoop loop in ExitLoop.All.Where(loop => loop.Clock is LoopClock.Host or LoopClock.Guest))
        {
            List<Instruction> timed = ExitGuestCode.Loop(loop.Name, LoopForm.Timed);
            Instruction back = timed[^2];
            Instruction clock = timed.First(instruction => instruction.Mnemonic == Mnemonic.Rdtsc);

            Assert.Equal(Mnemonic.Jne, back.Mnemonic);
            Instruction target = Assert.Single(timed, instruction => instruction.IP == back.NearBranchTarget);
            Assert.InRange(clock.IP - target.IP, 0u, 16u); // the ipi first takes back the last answer
        }
    }
}
