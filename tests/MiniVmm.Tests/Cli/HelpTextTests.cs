using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Tools.Reference;

namespace MiniVmm.Tests.Cli;

public sealed class HelpTextTests
{
    public static TheoryData<string> Commands =>
        [.. CommandPage.Tree(CommandLines.Root).Select(CommandPage.Words)];

    [Theory]
    [MemberData(nameof(Commands))]
    public void No_line_is_wider_than_100_columns_or_the_terminal(string command)
    {
        CommandPage page = Page(command);

        Assert.All(HelpText.Lines(page, 500), line => Assert.True(line.Length <= 100, line));
        Assert.All(HelpText.Lines(page, 80), line => Assert.True(line.Length <= 80, line));
        Assert.All(HelpText.Lines(page, 60), line => Assert.True(line.Length <= 60, line));
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Descriptions_stand_in_one_column(string command)
    {
        string[] lines = [.. HelpText.Lines(Page(command), 100)];

        string[] options = [.. lines.Where(line => line.StartsWith("  -", StringComparison.Ordinal))];
        Assert.NotEmpty(options);
        Assert.All(options.Where(line => line.Length > 24 && line[23] == ' ' && line[22] == ' '),
            line => Assert.NotEqual(' ', line[24]));
        Assert.All(lines, line => Assert.Equal(line.TrimEnd(), line));
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Each_option_is_there_once_and_has_a_description(string command)
    {
        string[] lines = [.. HelpText.Lines(Page(command), 100)];

        Assert.All(CommandPage.Options(Find(command)), option =>
        {
            Assert.Single(lines, line => line.StartsWith("  -", StringComparison.Ordinal)
                && line.Split(' ', ',', '[').Contains(option.Name));
            Assert.False(string.IsNullOrEmpty(option.Description), option.Name);
        });
    }

    [Fact]
    public void Options_of_run_are_grouped() => Assert.Equal(
        ["Arguments", "Boot", "Processors", "Memory", "Devices", "Observing", "General"],
        Page("minivmm run").Sections.Select(section => section.Title));

    [Fact]
    public void Each_group_has_an_example_of_its_command_that_the_parser_takes()
    {
        DocumentedCommand[] commands = [.. CommandPage.Tree(CommandLines.Root).OfType<DocumentedCommand>()];

        Assert.Equal(["run", "debug", "test", "merge", "summary", "diff", "html", "qemu", "serve", "ps", "top", "watch", "ctl", "devices", "doctor", "cpuid", "compare-qemu", "exits", "completion", "man"], commands.Select(command => command.Name));
        Assert.All(commands, command => Assert.All(command.Groups, group =>
        {
            string[] words = Assert.Single(ShellWords.CommandLines(group.Example));
            Assert.Same(command, CommandLines.Parse(words).CommandResult.Command);
        }));
    }

    [Fact]
    public void A_syntax_without_room_beside_its_description_stands_above_it()
    {
        CommandPage page = new("minivmm x", "X", "minivmm x",
            [new("Group", [new("--short N", "Text"), new("--a-long-option VALUE[,more]", "Some more text")])]);

        Assert.Equal(
            [
                "X.", "", "Usage: minivmm x", "", "Group",
                "  --short N             Text",
                "  --a-long-option VALUE[,more]",
                "                        Some more text",
            ],
            HelpText.Lines(page, 100));
    }

    [Theory]
    [InlineData("one two three", 7, "one two|three")]
    [InlineData("a-very-long-word b", 4, "a-very-long-word|b")]
    [InlineData("", 4, "")]
    public void Text_wraps_between_words(string text, int width, string lines) =>
        Assert.Equal(lines.Split('|'), HelpText.Wrap(text, width));

    private static CommandPage Page(string words) => CommandPage.Of(Find(words));

    private static Command Find(string words) =>
        CommandPage.Tree(CommandLines.Root).Single(command => CommandPage.Words(command) == words);
}
