using MiniVmm.Tests;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// Deaths on a processor that forgets them: KVM on AMD resets a vCPU at its triple fault, and a second run must show the
/// instruction.
/// </summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class FaultTests
{
    // What the emulated processor of the lab lets pass.
    private static readonly string[] Unchecked = ["msr_value", "cr8_too_high", "tables_outside_ram"];

    private static readonly string[] Source = File.ReadAllLines(Path.Combine(Lab.Root, "guest-images/faults/faults.c"));

    [Fact]
    public async Task Each_mistake_is_named_with_its_line_and_what_kept_it_from_a_handler()
    {
        List<string> wrong = [];
        KernelFault[] faults =
            [.. KernelFault.Everywhere.Concat(KernelFault.OnProcessors).Where(fault => !Unchecked.Contains(fault.Kind))];
        foreach (KernelFault fault in faults)
        {
            await using VmmProcess vmm = VmmProcess.Run(fault.Kind, Lab.Guest("faults.elf"), "--append", fault.Kind, "--timeout", "60");
            vmm.CloseInput();
            await vmm.AssertExitAsync(ExitStatus.GuestCrash);
            if (fault.Check(vmm.Errors, Source) is { } complaint)
                wrong.Add($"{complaint}\n{vmm.Errors}");
        }

        Assert.True(faults.Length >= 57, $"only {faults.Length} kinds");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Theory]
    [InlineData("handler_unmapped")]
    [InlineData("gate_non_canonical")]
    public async Task A_handler_that_calls_itself_is_named_where_it_overwrote_the_page_tables(string kind)
    {
        await using VmmProcess vmm = VmmProcess.Run(kind, Lab.Guest("faults.elf"), "--append", kind, "--timeout", "60");
        vmm.CloseInput();
        await vmm.AssertExitAsync(ExitStatus.GuestCrash);

        Assert.Contains("[stack-over-page-tables]", vmm.Errors);
        Assert.Contains($"{kind}+", vmm.Errors);
    }
}
