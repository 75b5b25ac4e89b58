using MiniVmm.Cli.Output;

namespace MiniVmm.Tests.Cli;

public sealed class TextTableTests
{
    [Fact]
    public void Columns_are_two_blanks_apart_and_numbers_are_to_the_right()
    {
        TextTable table = new("reason", ">vCPU 0", "note");
        table.AddRow("KVM_EXIT_IO", "12,345,678", "");
        table.AddRow("all", "1", "so far");
        StringWriter writer = new() { NewLine = "\n" };

        table.Write(writer);

        Assert.Equal(
            """
            reason           vCPU 0  note
            KVM_EXIT_IO  12,345,678
            all                   1  so far

            """,
            writer.ToString());
    }
}
