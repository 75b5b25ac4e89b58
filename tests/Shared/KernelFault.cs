using System.Text.RegularExpressions;

namespace MiniVmm.Tests;

/// <summary>One of faults.elf's mistakes, and what a post-mortem must say of it.</summary>
/// <param name="Kind">Its name, as --append gives it.</param>
/// <param name="Cause">The name of the cause.</param>
/// <param name="Handling">The name of what kept the exception from a handler.</param>
/// <param name="Function">The function that dies, at the line that says so.</param>
public sealed record KernelFault(string Kind, string Cause, string Handling, string Function)
{
    /// <summary>Those that each kind of KVM reports.</summary>
    public static IReadOnlyList<KernelFault> Everywhere { get; } =
    [
        new("undefined", "ud2", "idt-limit-0", "undefined"),
        new("divide_by_zero", "divide-by-zero", "idt-limit-0", "divide_by_zero"),
        new("divide_overflow", "divide-overflow", "idt-limit-0", "divide_overflow"),
        new("null_read", "null-pointer", "idt-limit-0", "null_read"),
        new("null_write", "null-pointer", "idt-limit-0", "null_write"),
        new("page_read", "page-not-mapped", "idt-limit-0", "page_read"),
        new("page_write", "page-not-mapped", "idt-limit-0", "page_write"),
        new("string_write", "page-not-mapped", "idt-limit-0", "string_write"),
        new("read_only_page", "read-only-page", "idt-limit-0", "read_only_page"),
        new("reserved_bits", "reserved-bits", "idt-limit-0", "reserved_bits"),
        new("reserved_bits_of_large_page", "reserved-bits", "idt-limit-0", "reserved_bits_of_large_page"),
        new("non_canonical_read", "non-canonical-address", "idt-limit-0", "non_canonical_read"),
        new("non_canonical_write", "non-canonical-address", "idt-limit-0", "non_canonical_write"),
        new("non_canonical_jump", "non-canonical-address", "idt-limit-0", "non_canonical_jump"),
        new("non_canonical_return", "non-canonical-address", "idt-limit-0", "non_canonical_return"),
        new("no_execute_page", "no-execute-page", "idt-limit-0", "no_execute_page"),
        new("no_execute_without_nxe", "reserved-bits", "idt-limit-0", "no_execute_without_nxe"),
        new("null_call", "jump-to-0", "idt-limit-0", "null_call"),
        new("null_call_with_offset", "jump-to-0", "idt-limit-0", "null_call_with_offset"),
        new("wild_call", "code-not-mapped", "idt-limit-0", "wild_call"),
        new("zeroes", "executing-zeroes", "idt-limit-0", "zeroes"),
        new("text", "executing-text", "idt-limit-0", "text"),
        new("sse_without_osfxsr", "simd-without-osfxsr", "idt-limit-0", "sse_without_osfxsr"),
        new("sse_with_em", "simd-without-osfxsr", "idt-limit-0", "sse_with_em"),
        new("fpu_with_ts", "fpu-off", "idt-limit-0", "fpu_with_ts"),
        new("misaligned", "misaligned", "idt-limit-0", "misaligned"),
        new("stack_unmapped", "stack-not-mapped", "idt-limit-0", "stack_unmapped"),
        new("stack_non_canonical", "stack-not-canonical", "idt-limit-0", "stack_non_canonical"),
        new("stack_read_only", "stack-read-only", "idt-limit-0", "stack_read_only"),
        new("stack_overflow", "stack-overflow", "idt-limit-0", "stack_overflow"),
        new("selector_beyond", "bad-selector", "idt-limit-0", "selector_beyond"),
        new("selector_of_code_in_ss", "bad-selector", "idt-limit-0", "selector_of_code_in_ss"),
        new("selector_no_tss", "bad-selector", "idt-limit-0", "selector_no_tss"),
        new("selector_of_data_in_cs", "bad-selector", "idt-limit-0", "selector_of_data_in_cs"),
        new("selector_null_in_cs", "bad-selector", "idt-limit-0", "selector_null_in_cs"),
        new("gdt_unmapped", "bad-selector", "idt-limit-0", "gdt_unmapped"),
        new("msr_unknown", "bad-msr", "idt-limit-0", "msr_unknown"),
        new("msr_value", "bad-msr", "idt-limit-0", "msr_value"),
        new("lme_with_paging", "bad-msr", "idt-limit-0", "lme_with_paging"),
        new("cr4_unknown_bit", "reserved-control-bits", "idt-limit-0", "cr4_unknown_bit"),
        new("cr4_without_pae", "reserved-control-bits", "idt-limit-0", "cr4_without_pae"),
        new("cr0_without_pg", "reserved-control-bits", "idt-limit-0", "cr0_without_pg"),
        new("cr0_without_pe", "reserved-control-bits", "idt-limit-0", "cr0_without_pe"),
        new("cr8_too_high", "reserved-control-bits", "idt-limit-0", "cr8_too_high"),
        new("tables_outside_ram", "page-tables-outside-ram", "idt-limit-0", "tables_outside_ram"),
        new("tables_cleared", "page-tables-cleared", "idt-limit-0", "tables_cleared"),
        new("kernel_unmapped", "kernel-not-mapped", "idt-limit-0", "kernel_unmapped"),
        new("user_privileged", "privileged-instruction", "idt-limit-0", "user_cli"),
        new("user_supervisor_page", "supervisor-page", "idt-limit-0", "user_read"),
        new("code_of_32_bits", "32-bit-code-in-64-bit-mode", "idt-limit-0", "code_of_32_bits"),
        new("idt_too_short", "ud2", "idt-too-short", "idt_too_short"),
        new("idt_unmapped", "ud2", "idt-not-mapped", "idt_unmapped"),
        new("gate_empty", "ud2", "gate-empty", "gate_empty"),
        new("gate_not_present", "ud2", "gate-not-present", "gate_not_present"),
        new("gate_selector_null", "ud2", "gate-selector", "gate_selector_null"),
        new("gate_selector_beyond", "ud2", "gate-selector", "gate_selector_beyond"),
        new("ist_without_tss", "ud2", "stack-not-canonical", "ist_without_tss"),
        new("ist_unmapped", "ud2", "stack-not-mapped", "ist_unmapped"),
        new("tss_too_short", "ud2", "tss-too-short", "tss_too_short"),
        new("tss_unmapped", "ud2", "tss-not-mapped", "tss_unmapped"),
    ];

    /// <summary>Those that need a processor: a KVM that emulates supervisor code lacks the instruction, or a check.</summary>
    public static IReadOnlyList<KernelFault> OnProcessors { get; } =
    [
        new("iret_frame", "bad-selector", "idt-limit-0", "iret_frame"),
        new("software_interrupt", "software-interrupt", "idt-limit-0", "software_interrupt"),
        new("gate_type", "ud2", "gate-type", "gate_type"),
        new("gate_selector_data", "ud2", "gate-selector", "gate_selector_data"),
        new("gate_selector_32_bit", "ud2", "gate-selector-not-64-bit", "gate_selector_32_bit"),
    ];

    /// <summary>What is wrong with a post-mortem; null for nothing.</summary>
    /// <param name="report">What MiniVmm printed.</param>
    /// <param name="source">faults.c, line by line.</param>
    public string? Check(string report, IReadOnlyList<string> source)
    {
        if (!Regex.IsMatch(report, $@"(?m)^  cause: .* \[{Cause}\]$"))
            return $"{Kind}: no cause {Cause}";
        if (!Regex.IsMatch(report, $@"(?m)^  unhandled: .* \[{Handling}\]$"))
            return $"{Kind}: not said to be {Handling}";
        Match place = Regex.Match(
            report, @"(?m)^  (at|called from|came from): 0x[0-9a-f]+ (?<name>\w+)(\+0x[0-9a-f]+)? \(faults/faults.c:(?<line>\d+)\)");
        if (!place.Success)
            return $"{Kind}: no line";
        (string, string) expected = (Function, $"{LineOf(Function, source)}");
        (string, string) found = (place.Groups["name"].Value, place.Groups["line"].Value);
        return found == expected ? null : $"{Kind}: at {found} instead of {expected}";
    }

    /// <summary>The line that says "dies" in a function.</summary>
    public static int LineOf(string function, IReadOnlyList<string> source)
    {
        bool inside = false;
        for (int i = 0; i < source.Count; i++)
        {
            inside |= Regex.IsMatch(source[i], $@"^(FAULT\({function}\)|static void {function}\(void\))");
            if (inside && source[i].Contains("/* dies */", StringComparison.Ordinal))
                return i + 1;
        }

        throw new ArgumentException($"faults.c has no {function}", nameof(function));
    }

    public override string ToString() => Kind;
}
