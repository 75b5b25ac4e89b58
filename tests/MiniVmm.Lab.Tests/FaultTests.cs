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
    [Fact]
    public async Task Each_mistake_is_named_with_its_line_and_what_kept_it_from_a_handler()
    {
        List<string> wrong = [];
        KernelFault[] faults = [.. KernelFault.Everywhere, .. KernelFault.InLab];
        foreach (KernelFault fault in faults)
        {
            await using VmmProcess vmm = VmmProcess.Run($"{fault.Kernel}-{fault.Kind}", Lab.Guest($"{fault.Kernel}.elf"), "--append", fault.Kind, "--timeout", "60");
            vmm.CloseInput();
            await vmm.AssertExitAsync(ExitStatus.GuestCrash);
            if (fault.Check(vmm.Errors, File.ReadAllLines(Path.Combine(Lab.Root, fault.SourcePath))) is { } complaint)
                wrong.Add($"{complaint}\n{vmm.Errors}");
        }

        Assert.True(faults.Length >= 57, $"only {faults.Length} kinds");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task A_timer_that_ticks_once_for_want_of_an_EOI_is_named()
    {
        // A KVM that emulates the guest's supervisor code lets all of its ticks in.
        await using VmmProcess vmm = VmmProcess.Run("no_eoi", Lab.Guest("faults.elf"), "--append", "no_eoi", "--timeout", "2");
        vmm.CloseInput();
        await vmm.AssertExitAsync(ExitStatus.Timeout);

        Assert.Contains("interrupt 0x40 is in service: its handler gave no EOI, so interrupt 0x40 and all others", vmm.Errors);
        Assert.Contains("[no-eoi]", vmm.Errors);
        Assert.Contains("no_eoi+", vmm.Errors);
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
