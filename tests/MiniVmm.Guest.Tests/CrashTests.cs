namespace MiniVmm.Guest.Tests;

/// <summary>A guest that died is explained: why, where, in which registers, and a guess in plain words.</summary>
public sealed class CrashTests : IClassFixture<UsableKvm>
{
    [Theory]
    [InlineData("", "triple fault", "IDT limit is 0", "ud2")]
    [InlineData("triple", "triple fault", "IDT limit is 0", "ud2")]
    [InlineData("gp", "triple fault", "IDT limit is 0", "mov ds,eax")]
    [InlineData("page-fault", "triple fault", "IDT limit is 0|cannot run", "mov cr0,eax")]
    [InlineData("wild-jump", "KVM_EXIT_INTERNAL_ERROR", "RIP 0xd0000000 is not in RAM", "not mapped")]
    public async Task It_is_explained(string kind, string reason, string guess, string code)
    {
        // On AMD's SVM the processor is reset at a triple fault, before KVM or anyone else can look at it.
        if (reason == "triple fault" && HasSvm)
            (guess, code) = ("KVM on AMD resets a vCPU at a triple fault", "not mapped");

        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("crash.elf"), "--append", kind);

        run.With(ExitStatus.GuestCrash);
        Assert.Contains(reason, run.ErrorLines[0]);
        Assert.StartsWith("minivmm: vCPU 0 died: ", run.ErrorLines[0]);
        string guessed = Assert.Single(run.ErrorLines, line => line.StartsWith("  guess: ", StringComparison.Ordinal));
        Assert.Matches(guess, guessed);
        Assert.Matches("rip +[0-9a-f]{16} rflags", run.Errors);
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
