using MiniVmm.Boot;
using MiniVmm.Cpu;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Teaching.Plan;

namespace MiniVmm.Tests.Teaching;

/// <summary>What <c>--dry-run</c> says of slots, windows, routes, registers and ACPI tables.</summary>
public sealed class PlanDetailsTests
{
    [Fact]
    public void All_of_a_plan_is_written_within_a_terminals_width()
    {
        using MachinePlan plan = Plan();

        string text = Text(plan);

        Assert.Contains("     0  0x0-0x3fffffff  1 GiB of RAM\n", text, StringComparison.Ordinal);
        Assert.Contains("  ports 0x3f8-0x3ff       serial port COM1, interrupt 4 (edge)\n", text, StringComparison.Ordinal);
        Assert.Contains("     0  first 8259 pin 0, I/O APIC pin 2\n", text, StringComparison.Ordinal);
        Assert.Contains("vcpu0 begins in protected mode, without paging:\n", text, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^  ldt +0 +0 +ffff +2 ", text); // untouched since the reset
        Assert.Contains("    local APIC: processor 2, id 2, flags 1\n", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 120));
    }

    [Fact]
    public void The_tables_are_found_from_the_RSDP_on()
    {
        using MachinePlan plan = Plan();

        Assert.Equal(
            ["XSDT", "FACP", "FACS", "DSDT", "APIC"],
            AcpiDump.Find(plan.Boot.Segments, plan.Boot.Firmware.Rsdp).Select(table => table.Signature));
    }

    [Fact]
    public void A_disassembler_has_the_first_word()
    {
        using MachinePlan plan = Plan();
        using StringWriter text = new() { NewLine = "\n" };

        PlanDetails.Write(text, plan, table => table.Signature == "DSDT" ? "DefinitionBlock ()\n" : null);

        Assert.Contains("  DSDT at 0x", text.ToString(), StringComparison.Ordinal);
        Assert.Contains("\n    DefinitionBlock ()\n", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Tables_that_lead_nowhere_are_none()
    {
        byte[] rsdp = new byte[36];
        rsdp[24] = 0xff; // of the XSDT's address
        byte[] endless = [.. "XSDT"u8, 0xff, 0xff, 0xff, 0xff];

        Assert.Empty(AcpiDump.Find([], 0xe0000));
        Assert.Empty(AcpiDump.Find([new LoadSegment("RSDP", 0xe0000, rsdp)], 0xe0000));
        Assert.Empty(AcpiDump.Find([new LoadSegment("RSDP", 0xe0000, rsdp), new LoadSegment("XSDT", 0xff, endless)], 0xe0000));
    }

    [Theory]
    [InlineData("/*\n * Intel ACPI\n */\nDefinitionBlock\n\n\n\n{\n}\n", "DefinitionBlock\n\n{\n}")]
    [InlineData("no comment", "no comment")]
    public void The_comment_of_the_disassembler_is_left_out(string text, string expected) => Assert.Equal(expected, Iasl.WithoutHeader(text));

    private static string Text(MachinePlan plan)
    {
        using StringWriter text = new() { NewLine = "\n" };
        PlanDetails.Write(text, plan, _ => null);
        return text.ToString();
    }

    private static MachinePlan Plan()
    {
        string kernel = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(kernel, [0xf4]);
            return MachinePlan.Create(new MachineOptions
            {
                Kernel = kernel,
                Format = BinaryFormat.Flat32,
                Memory = new MemoryOptions(MemoryLayout.GiB),
                Topology = new CpuTopology(1, 3),
            });
        }
        finally
        {
            File.Delete(kernel);
        }
    }
}
