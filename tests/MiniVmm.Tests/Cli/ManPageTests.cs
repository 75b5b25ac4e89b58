using MiniVmm.Tools.Reference;

namespace MiniVmm.Tests.Cli;

public sealed class ManPageTests
{
    [Fact]
    public void The_page_in_docs_is_what_the_commands_say()
    {
        string[] page = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "minivmm.1"));

        Assert.True(
            page.SequenceEqual(ManPage.Lines(CommandLines.Root)),
            "docs/minivmm.1 is not what the options say; write it with: out/minivmm man > docs/minivmm.1");
    }

    [Fact]
    public void Every_option_is_on_it()
    {
        string[] lines = [.. ManPage.Lines(CommandLines.Root)];

        Assert.All(CommandPage.Tree(CommandLines.Root).SelectMany(command => command.Options), option =>
        {
            string name = option.Name.Replace("-", "\\-", StringComparison.Ordinal);
            Assert.Contains(lines, line => line.Contains(name, StringComparison.Ordinal));
        });
    }
}
