using MiniVmm.Tests;

namespace MiniVmm.Guest.Tests;

/// <summary>
/// A kernel with one mistake, as kernels have them, is told the mistake, and the line. Each kind of faults.elf and faults32.elf; what another
/// kind of KVM does with it is tested in the lab.
/// </summary>
public sealed class FaultTests : IClassFixture<UsableKvm>
{
    private static readonly string[] Source = File.ReadAllLines(Path.Combine(Built.Root, "guest-images/faults/faults.c"));

    public static TheoryData<string> Kinds => [.. All.Select(fault => fault.ToString())];

    private static IEnumerable<KernelFault> All => KernelFault.Everywhere.Concat(KernelFault.NotInLab);

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_mistake_is_named_with_its_line_and_what_kept_it_from_a_handler(string kind)
    {
        KernelFault fault = All.Single(each => each.ToString() == kind);
        MinivmmResult run = await Run(fault.Kind, fault.Kernel);

        string? complaint = fault.Check(run.Errors, File.ReadAllLines(Path.Combine(Built.Root, fault.SourcePath)));
        Assert.True(complaint is null, $"{complaint}\n{run.Errors}");
    }

    [Theory]
    [InlineData("handler_unmapped")]
    [InlineData("gate_non_canonical")]
    public async Task A_handler_that_cannot_run_is_named(string kind)
    {
        MinivmmResult run = await Run(kind);

        Assert.Matches(@"cause: the handler of #UD .*\[handler-not-mapped\]|\[stack-over-page-tables\]", run.Errors);
        Assert.Contains("[stack-over-page-tables]", run.Errors);
    }

    [Fact]
    public async Task Where_PAE_paging_cannot_run_its_first_step_is_named_as_this_KVMs_limit()
    {
        MinivmmResult run = await Run("pae_unmapped", "faults32");

        Assert.Matches(@"cause: 32-bit paging with PAE .*\[kvm-without-32-bit-paging\]|\[page-not-mapped\]", run.Errors);
    }

    [Fact]
    public async Task An_interrupt_that_comes_too_early_is_named()
    {
        MinivmmResult run = await Run("interrupt_too_early");

        Assert.Matches(@"cause: interrupt 0x8: IRQ 0 .*\[interrupt-not-handled\]", run.Errors);
        Assert.Contains("interrupt_too_early+", run.Errors);
    }

    [Fact]
    public async Task A_guest_that_waits_for_ever_is_named_at_its_timeout()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", Built.Guest("faults.elf"), "--append", "halt_for_good", "--timeout", "1");

        run.With(ExitStatus.Timeout);
        Assert.Contains("[halted-interrupts-off]", run.Errors);
        Assert.Contains($"halt_for_good+0x2 (faults/faults.c:{KernelFault.LineOf("halt_for_good", Source)})", run.Errors);
    }

    [Fact]
    public async Task The_calls_that_led_to_a_death_are_listed_with_their_lines()
    {
        MinivmmResult run = await Run("null_call");

        string line = $"{KernelFault.LineOf("null_call", Source)}";
        Assert.Matches($@"(?m)^    #1  0x[0-9a-f]+ null_call\+0x[0-9a-f]+ \(faults/faults\.c:{line}\)$", run.Errors);
        Assert.Matches(@"(?m)^    #2  0x[0-9a-f]+ kernel_main\+0x[0-9a-f]+ \(lib/faults\.h:\d+\)$", run.Errors);
    }

    [Fact]
    public async Task A_guest_that_goes_silent_is_reported_and_goes_on()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", Built.Guest("faults.elf"), "--append", "halt_for_good", "--hang-after", "0.3", "--timeout", "2");

        run.With(ExitStatus.Timeout);
        Assert.Contains("minivmm: the guest has printed nothing for 0.3 s", run.ErrorLines);
        Assert.Equal(2, run.ErrorLines.Count(line => line.Contains("[halted-interrupts-off]", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Gdb_reads_the_core_of_a_death()
    {
        using TemporaryFolder folder = new();
        string core = Path.Combine(folder.Path, "core");
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", Built.Guest("faults.elf"), "--append", "null_write", "--core", core);
        run.With(ExitStatus.GuestCrash);

        MinivmmResult gdb = await MinivmmProcess.RunProgramAsync(
            "gdb", "-nx", "-batch", "-ex", "bt", "-ex", "x/i $rip", Built.Guest("faults.elf"), core);

        Assert.Contains($"null_write () at faults/faults.c:{KernelFault.LineOf("null_write", Source)}", gdb.Output);
        Assert.Contains("kernel_main (boot=", gdb.Output);
        Assert.Contains("movl   $0x1,0x10(%rax)", gdb.Output);
    }

    [Fact]
    public async Task A_guest_that_ends_well_leaves_no_core()
    {
        using TemporaryFolder folder = new();
        string core = Path.Combine(folder.Path, "core");
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("hello.elf"), "--core", core);

        run.With(ExitStatus.Success);
        Assert.False(File.Exists(core));
    }

    private static async Task<MinivmmResult> Run(string kind, string kernel = "faults")
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest($"{kernel}.elf"), "--append", kind, "--timeout", "60");
        run.With(ExitStatus.GuestCrash);
        return run;
    }
}
