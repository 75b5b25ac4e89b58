using System.Text.RegularExpressions;

namespace MiniVmm.Tests;

/// <summary>A mistake that a test kernel makes, and what a post-mortem must say of it.</summary>
/// <param name="Kernel">faults or faults32.</param>
/// <param name="Kind">Its name, as --append gives it.</param>
/// <param name="Cause">The name of the cause.</param>
/// <param name="Handling">The name of what kept the exception from a handler.</param>
/// <param name="Function">The function that dies, at the line that says so.</param>
public sealed record KernelFault(string Kernel, string Kind, string Cause, string Handling, string Function)
{
    /// <summary>Those that each kind of KVM reports.</summary>
    public static IReadOnlyList<KernelFault> Everywhere { get; } =
    [
        new("faults", "undefined", "ud2", "idt-limit-0", "undefined"),
        new("faults", "divide_by_zero", "divide-by-zero", "idt-limit-0", "divide_by_zero"),
        new("faults", "divide_overflow", "divide-overflow", "idt-limit-0", "divide_overflow"),
        new("faults", "null_read", "null-pointer", "idt-limit-0", "null_read"),
        new("faults", "null_write", "null-pointer", "idt-limit-0", "null_write"),
        new("faults", "page_read", "page-not-mapped", "idt-limit-0", "page_read"),
        new("faults", "page_write", "page-not-mapped", "idt-limit-0", "page_write"),
        new("faults", "string_write", "page-not-mapped", "idt-limit-0", "string_write"),
        new("faults", "read_only_page", "read-only-page", "idt-limit-0", "read_only_page"),
        new("faults", "reserved_bits", "reserved-bits", "idt-limit-0", "reserved_bits"),
        new("faults", "reserved_bits_of_large_page", "reserved-bits", "idt-limit-0", "reserved_bits_of_large_page"),
        new("faults", "non_canonical_read", "non-canonical-address", "idt-limit-0", "non_canonical_read"),
        new("faults", "non_canonical_write", "non-canonical-address", "idt-limit-0", "non_canonical_write"),
        new("faults", "non_canonical_jump", "non-canonical-address", "idt-limit-0", "non_canonical_jump"),
        new("faults", "non_canonical_return", "non-canonical-address", "idt-limit-0", "non_canonical_return"),
        new("faults", "no_execute_page", "no-execute-page", "idt-limit-0", "no_execute_page"),
        new("faults", "no_execute_without_nxe", "reserved-bits", "idt-limit-0", "no_execute_without_nxe"),
        new("faults", "null_call", "jump-to-0", "idt-limit-0", "null_call"),
        new("faults", "null_call_with_offset", "jump-to-0", "idt-limit-0", "null_call_with_offset"),
        new("faults", "wild_call", "code-not-mapped", "idt-limit-0", "wild_call"),
        new("faults", "zeroes", "executing-zeroes", "idt-limit-0", "zeroes"),
        new("faults", "text", "executing-text", "idt-limit-0", "text"),
        new("faults", "sse_without_osfxsr", "simd-without-osfxsr", "idt-limit-0", "sse_without_osfxsr"),
        new("faults", "sse_with_em", "simd-without-osfxsr", "idt-limit-0", "sse_with_em"),
        new("faults", "fpu_with_ts", "fpu-off", "idt-limit-0", "fpu_with_ts"),
        new("faults", "misaligned", "misaligned", "idt-limit-0", "misaligned"),
        new("faults", "stack_unmapped", "stack-not-mapped", "idt-limit-0", "stack_unmapped"),
        new("faults", "stack_non_canonical", "stack-not-canonical", "idt-limit-0", "stack_non_canonical"),
        new("faults", "stack_read_only", "stack-read-only", "idt-limit-0", "stack_read_only"),
        new("faults", "stack_overflow", "stack-overflow", "idt-limit-0", "stack_overflow"),
        new("faults", "selector_beyond", "bad-selector", "idt-limit-0", "selector_beyond"),
        new("faults", "selector_of_code_in_ss", "bad-selector", "idt-limit-0", "selector_of_code_in_ss"),
        new("faults", "selector_no_tss", "bad-selector", "idt-limit-0", "selector_no_tss"),
        new("faults", "selector_of_data_in_cs", "bad-selector", "idt-limit-0", "selector_of_data_in_cs"),
        new("faults", "selector_null_in_cs", "bad-selector", "idt-limit-0", "selector_null_in_cs"),
        new("faults", "gdt_unmapped", "bad-selector", "idt-limit-0", "gdt_unmapped"),
        new("faults", "msr_unknown", "bad-msr", "idt-limit-0", "msr_unknown"),
        new("faults", "lme_with_paging", "bad-msr", "idt-limit-0", "lme_with_paging"),
        new("faults", "cr4_unknown_bit", "reserved-control-bits", "idt-limit-0", "cr4_unknown_bit"),
        new("faults", "cr4_without_pae", "reserved-control-bits", "idt-limit-0", "cr4_without_pae"),
        new("faults", "cr0_without_pg", "reserved-control-bits", "idt-limit-0", "cr0_without_pg"),
        new("faults", "cr0_without_pe", "reserved-control-bits", "idt-limit-0", "cr0_without_pe"),
        new("faults", "tables_cleared", "page-tables-cleared", "idt-limit-0", "tables_cleared"),
        new("faults", "kernel_unmapped", "kernel-not-mapped", "idt-limit-0", "kernel_unmapped"),
        new("faults", "user_privileged", "privileged-instruction", "idt-limit-0", "user_cli"),
        new("faults", "user_supervisor_page", "supervisor-page", "idt-limit-0", "user_read"),
        new("faults", "code_of_32_bits", "32-bit-code-in-64-bit-mode", "idt-limit-0", "code_of_32_bits"),
        new("faults", "idt_too_short", "ud2", "idt-too-short", "idt_too_short"),
        new("faults", "idt_unmapped", "ud2", "idt-not-mapped", "idt_unmapped"),
        new("faults", "gate_empty", "ud2", "gate-empty", "gate_empty"),
        new("faults", "gate_not_present", "ud2", "gate-not-present", "gate_not_present"),
        new("faults", "gate_selector_null", "ud2", "gate-selector", "gate_selector_null"),
        new("faults", "gate_selector_beyond", "ud2", "gate-selector", "gate_selector_beyond"),
        new("faults", "ist_without_tss", "ud2", "stack-not-canonical", "ist_without_tss"),
        new("faults", "ist_unmapped", "ud2", "stack-not-mapped", "ist_unmapped"),
        new("faults", "tss_too_short", "ud2", "tss-too-short", "tss_too_short"),
        new("faults", "tss_unmapped", "ud2", "tss-not-mapped", "tss_unmapped"),
        new("faults32", "undefined", "ud2", "idt-limit-0", "undefined"),
        new("faults32", "divide_by_zero", "divide-by-zero", "idt-limit-0", "divide_by_zero"),
        new("faults32", "cr0_pg_without_pe", "reserved-control-bits", "idt-limit-0", "cr0_pg_without_pe"),
        new("faults32", "segment_not_present", "bad-selector", "idt-limit-0", "segment_not_present"),
        new("faults32", "far_jump_to_data", "bad-selector", "idt-limit-0", "far_jump_to_data"),
        new("faults32", "code_of_64_bits", "64-bit-code-in-32-bit-mode", "idt-limit-0", "code_of_64_bits"),
    ];

    /// <summary>Those that a KVM which emulates supervisor code lacks the instruction for, or a check.</summary>
    public static IReadOnlyList<KernelFault> InLab { get; } =
    [
        new("faults", "iret_frame", "bad-selector", "idt-limit-0", "iret_frame"),
        new("faults", "software_interrupt", "software-interrupt", "idt-limit-0", "software_interrupt"),
        new("faults", "gate_type", "ud2", "gate-type", "gate_type"),
        new("faults", "gate_selector_data", "ud2", "gate-selector", "gate_selector_data"),
        new("faults", "gate_selector_32_bit", "ud2", "gate-selector-not-64-bit", "gate_selector_32_bit"),
        new("faults32", "pae_unmapped", "page-not-mapped", "idt-limit-0", "pae_unmapped"),
        new("faults32", "pae_reserved_bits", "reserved-bits", "idt-limit-0", "pae_reserved_bits"),
    ];

    /// <summary>Those that the lab's emulated processors let pass, or stand still at.</summary>
    public static IReadOnlyList<KernelFault> NotInLab { get; } =
    [
        new("faults", "msr_value", "bad-msr", "idt-limit-0", "msr_value"),
        new("faults", "cr8_too_high", "reserved-control-bits", "idt-limit-0", "cr8_too_high"),
        new("faults", "tables_outside_ram", "page-tables-outside-ram", "idt-limit-0", "tables_outside_ram"),
        new("faults32", "lme_without_pae", "lme-without-pae", "idt-limit-0", "lme_without_pae"),
        new("faults32", "segment_limit", "segment-limit", "idt-limit-0", "segment_limit"),
        new("faults32", "segment_null", "null-segment", "idt-limit-0", "segment_null"),
        new("faults32", "segment_read_only", "read-only-segment", "idt-limit-0", "segment_read_only"),
    ];

    /// <summary>The kernel's source below the root.</summary>
    public string SourcePath => $"guest-images/{Kernel}/{Kernel}.c";

    /// <summary>What is wrong with a post-mortem; null for nothing.</summary>
    /// <param name="report">What MiniVmm printed.</param>
    /// <param name="source">Its source, line by line.</param>
    public string? Check(string report, IReadOnlyList<string> source)
    {
        if (!Regex.IsMatch(report, $@"(?m)^  cause: .* \[{Cause}\]$"))
            return $"{Kind}: no cause {Cause}";
        if (!Regex.IsMatch(report, $@"(?m)^  unhandled: .* \[{Handling}\]$"))
            return $"{Kind}: not said to be {Handling}";
        Match place = Regex.Match(
            report, @"(?m)^  (at|called from|came from): 0x[0-9a-f]+ (?<name>\w+)(\+0x[0-9a-f]+)? \(faults(32)?/faults(32)?.c:(?<line>\d+)\)");
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

        throw new ArgumentException($"the source has no {function}", nameof(function));
    }

    public override string ToString() => $"{Kernel} {Kind}";
}
