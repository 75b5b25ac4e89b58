namespace MiniVmm.Guest.Tests;

/// <summary>A guest that died is explained: why, where, and in which registers.</summary>
public sealed class CrashTests : IClassFixture<UsableKvm>
{
    [Theory]
    [InlineData("", "triple fault", @"cause: .*\[ud2\]", "ud2")]
    [InlineData("triple", "triple fault", @"cause: .*\[ud2\]", "ud2")]
    [InlineData("gp", "triple fault", @"cause: it loads DS with 0xfff8.*\[bad-selector\]", "mov ds,eax")]
    [InlineData("page-fault", "triple fault", @"\[kernel-not-mapped\]|\[page-tables-cleared\]|\[kvm-without-32-bit-paging\]", "mov cr0,eax")]
    [InlineData("wild-jump", "KVM_EXIT_INTERNAL_ERROR", @"RIP 0xd0000000 .*\[code-not-in-ram\]", "not mapped")]
    public async Task It_is_explained(string kind, string reason, string cause, string code)
    {
        // On AMD's SVM the processor is reset at a triple fault, before KVM or anyone else can look at it.
        if (reason == "triple fault" && HasSvm)
            (cause, code) = ("KVM on AMD resets a vCPU at a triple fault", "not mapped");

        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("crash.elf"), "--append", kind);

        run.With(ExitStatus.GuestCrash);
        Assert.Contains(reason, run.ErrorLines[0]);
        Assert.StartsWith("minivmm: vCPU 0 died: ", run.ErrorLines[0]);
        Assert.Matches(cause, run.Errors);
        Assert.Matches("rip +[0-9a-f]{16} cr2", run.Errors);
        Assert.Matches($"(?m)(^  > .* {code}$|code at rip: {code}$)", run.Errors);
    }

    private static bool HasSvm =>
        File.ReadLines("/proc/cpuinfo").Any(line => line.StartsWith("flags", StringComparison.Ordinal)
            && line.Split(' ').Contains("svm"));

    [Fact]
    public async Task What_the_guest_had_said_is_not_lost()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("crash.elf"));

        run.With(ExitStatus.GuestCrash);
        Assert.Equal("crash: triple fault by an undefined instruction, with no IDT\n", run.Output);
    }
}
