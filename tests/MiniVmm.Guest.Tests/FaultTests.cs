using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary>
/// A kernel with one mistake, as kernels have them, is told the mistake, and the line. Each kind of faults.elf; what another
/// kind of KVM does with it is tested in the lab.
/// </summary>
public sealed class FaultTests : IClassFixture<UsableKvm>
{
    private static readonly string[] Source = File.ReadAllLines(Path.Combine(Built.Root, "guest-images/faults/faults.c"));

    [Theory]
    [InlineData("undefined", "ud2")]
    [InlineData("divide_by_zero", "divide-by-zero")]
    [InlineData("divide_overflow", "divide-overflow")]
    [InlineData("null_read", "null-pointer")]
    [InlineData("null_write", "null-pointer")]
    [InlineData("page_read", "page-not-mapped")]
    [InlineData("page_write", "page-not-mapped")]
    [InlineData("string_write", "page-not-mapped")]
    [InlineData("read_only_page", "read-only-page")]
    [InlineData("reserved_bits", "reserved-bits")]
    [InlineData("reserved_bits_of_large_page", "reserved-bits")]
    [InlineData("non_canonical_read", "non-canonical-address")]
    [InlineData("non_canonical_write", "non-canonical-address")]
    [InlineData("non_canonical_jump", "non-canonical-address")]
    [InlineData("non_canonical_return", "non-canonical-address")]
    [InlineData("no_execute_page", "no-execute-page")]
    [InlineData("no_execute_without_nxe", "reserved-bits")]
    [InlineData("null_call", "jump-to-0")]
    [InlineData("null_call_with_offset", "jump-to-0")]
    [InlineData("wild_call", "code-not-mapped")]
    [InlineData("zeroes", "executing-zeroes")]
    [InlineData("text", "executing-text")]
    [InlineData("sse_without_osfxsr", "simd-without-osfxsr")]
    [InlineData("sse_with_em", "simd-without-osfxsr")]
    [InlineData("fpu_with_ts", "fpu-off")]
    [InlineData("misaligned", "misaligned")]
    [InlineData("stack_unmapped", "stack-not-mapped")]
    [InlineData("stack_non_canonical", "stack-not-canonical")]
    [InlineData("stack_read_only", "stack-read-only")]
    [InlineData("stack_overflow", "stack-overflow")]
    [InlineData("selector_beyond", "bad-selector")]
    [InlineData("selector_of_code_in_ss", "bad-selector")]
    [InlineData("selector_no_tss", "bad-selector")]
    [InlineData("selector_of_data_in_cs", "bad-selector")]
    [InlineData("selector_null_in_cs", "bad-selector")]
    [InlineData("gdt_unmapped", "bad-selector")]
    [InlineData("msr_unknown", "bad-msr")]
    [InlineData("msr_value", "bad-msr")]
    [InlineData("lme_with_paging", "bad-msr")]
    [InlineData("cr4_unknown_bit", "reserved-control-bits")]
    [InlineData("cr4_without_pae", "reserved-control-bits")]
    [InlineData("cr0_without_pg", "reserved-control-bits")]
    [InlineData("cr0_without_pe", "reserved-control-bits")]
    [InlineData("cr8_too_high", "reserved-control-bits")]
    [InlineData("tables_outside_ram", "page-tables-outside-ram")]
    [InlineData("tables_cleared", "page-tables-cleared")]
    [InlineData("kernel_unmapped", "kernel-not-mapped")]
    [InlineData("user_privileged", "privileged-instruction", "user_cli")]
    [InlineData("user_supervisor_page", "supervisor-page", "user_read")]
    [InlineData("code_of_32_bits", "32-bit-code-in-64-bit-mode")]
    public async Task An_instruction_that_dies_is_named_with_its_line(string kind, string cause, string? function = null) =>
        await Dies(kind, function ?? kind, cause, "idt-limit-0");

    [Theory]
    [InlineData("idt_too_short", "idt-too-short")]
    [InlineData("idt_unmapped", "idt-not-mapped")]
    [InlineData("gate_empty", "gate-empty")]
    [InlineData("gate_not_present", "gate-not-present")]
    [InlineData("gate_selector_null", "gate-selector")]
    [InlineData("gate_selector_beyond", "gate-selector")]
    [InlineData("ist_without_tss", "stack-not-canonical")]
    [InlineData("ist_unmapped", "stack-not-mapped")]
    [InlineData("tss_too_short", "tss-too-short")]
    [InlineData("tss_unmapped", "tss-not-mapped")]
    public async Task A_handler_that_is_not_reached_is_named_beside_the_instruction(string kind, string handling) =>
        await Dies(kind, kind, "ud2", handling);

    [Theory]
    [InlineData("handler_unmapped")]
    [InlineData("gate_non_canonical")]
    public async Task A_handler_that_cannot_run_is_named(string kind)
    {
        MinivmmResult run = await Run(kind);

        Assert.Matches(@"cause: the handler of #UD .*\[handler-not-mapped\]", run.Errors);
        Assert.Contains("[stack-over-page-tables]", run.Errors);
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
        Assert.Contains($"halt_for_good+0x2 (faults/faults.c:{LineOf("halt_for_good")})", run.Errors);
    }

    private static async Task Dies(string kind, string function, string cause, string handling)
    {
        MinivmmResult run = await Run(kind);

        Assert.Matches($@"(?m)^  cause: .* \[{cause}\]$", run.Errors);
        Assert.Matches($@"(?m)^  unhandled: .* \[{handling}\]$", run.Errors);
        Match place = Regex.Match(run.Errors, @"(?m)^  (at|called from): 0x[0-9a-f]+ (?<name>\w+)(\+0x[0-9a-f]+)? \(faults/faults.c:(?<line>\d+)\)");
        Assert.True(place.Success, run.Errors);
        Assert.Equal((function, $"{LineOf(function)}"), (place.Groups["name"].Value, place.Groups["line"].Value));
    }

    private static async Task<MinivmmResult> Run(string kind)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("faults.elf"), "--append", kind, "--timeout", "60");
        run.With(ExitStatus.GuestCrash);
        return run;
    }

    /// <summary>The line that says "dies" in a function.</summary>
    private static int LineOf(string function)
    {
        int start = Array.FindIndex(Source, line => Regex.IsMatch(line, $@"^(FAULT\({function}\)|static void {function}\(void\))"));
        Assert.True(start >= 0, $"faults.c has no {function}");
        return Array.FindIndex(Source, start, line => line.Contains("/* dies */", StringComparison.Ordinal)) + 1;
    }
}
