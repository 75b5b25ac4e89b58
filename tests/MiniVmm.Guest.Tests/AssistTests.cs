using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Guest.Tests;

/// <summary>What KVM cannot emulate a guest executes all the same, unless nobody assists.</summary>
public sealed class AssistTests : IClassFixture<UsableKvm>
{
    private static bool EmulatesSupervisor => EmulatedSupervisor.IsOn(new HostFiles());

    [Fact]
    public async Task Each_instruction_gives_a_kernel_what_the_manual_says()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--stats", Built.Guest("assist.elf"));

        run.With(ExitStatus.Success);
        Assert.EndsWith("assist: ok\n", run.Output);
        Assert.Matches(@"(?m)^bytes allocated +0$", run.Errors);
        if (EmulatesSupervisor)
            Assert.Matches(@"(?m)^completed for KVM +vCPU 0$(.|\n)*^popcnt +[1-9][0-9]*$", run.Errors);
        else
            Assert.DoesNotContain("completed for KVM", run.Errors);
    }

    [Theory]
    [InlineData("int3")]
    [InlineData("clac")]
    [InlineData("popcnt")]
    [InlineData("cmpxchg16b")]
    public async Task Without_the_assist_it_is_the_end_where_KVM_emulates(string instruction)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--no-assist", Built.Guest("assist.elf"), "--append", instruction);

        if (!EmulatesSupervisor)
        {
            run.With(ExitStatus.Success);
            return;
        }

        run.With(ExitStatus.GuestCrash);
        Assert.Contains("could not emulate an instruction, and MiniVmm's assist is off", run.ErrorLines[0]);
    }
}
