using MiniVmm.Cli;
using MiniVmm.Control;
using MiniVmm.Tests.Control;
using MiniVmm.Tools;
using MiniVmm.Tools.Reference;

namespace MiniVmm.Tests.Cli;

public sealed class CtlCommandTests
{
    [Fact]
    public void Words_become_the_arguments_of_the_verb_in_their_order()
    {
        RepeatVerb verb = new();

        VerbArguments arguments = CtlCommand.Read(verb, ["hello", "-1", "2K"]);

        Assert.True(arguments.TryGet((TextArgument)verb.Arguments[0], out string? text));
        Assert.True(arguments.TryGet((NumberArgument)verb.Arguments[1], out long times));
        Assert.True(arguments.TryGet((SizeArgument)verb.Arguments[2], out ulong limit));
        Assert.Equal(("hello", -1, 2048ul), (text, times, limit));
        Assert.False(CtlCommand.Read(verb, ["hello", "2"]).Has(verb.Arguments[2]));
    }

    [Theory]
    [InlineData("", "ctl repeat: TEXT is missing: what to say")]
    [InlineData("hello", "ctl repeat: N is missing: how often")]
    [InlineData("hello often", "ctl repeat often: N is a whole number")]
    [InlineData("hello 1 2X", "ctl repeat 2X: not a size; use a number with K, M, G or T, as in 256M or 5G")]
    [InlineData("hello 1 2K now again", "ctl repeat: 'now' is one word too many")]
    public void Words_that_are_missing_wrong_or_too_many_are_told(string words, string error) => Assert.Equal(
        error,
        Assert.Throws<BadInputException>(
            () => CtlCommand.Read(new RepeatVerb(), words.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Message);

    [Fact]
    public void An_empty_word_is_no_text() => Assert.Equal(
        "ctl repeat: TEXT is empty", Assert.Throws<BadInputException>(() => CtlCommand.Read(new RepeatVerb(), ["", "1"])).Message);

    [Fact]
    public void Help_has_each_verb_with_its_arguments()
    {
        Section commands = CommandPage.Of(new CtlCommand()).Sections.Single(section => section.Title == "Commands");

        Assert.Equal(ControlVerbs.All.Count, commands.Entries.Count);
        Assert.All(ControlVerbs.All.Zip(commands.Entries), pair =>
        {
            (ControlVerb verb, Entry entry) = pair;
            Assert.Equal(verb.Name, entry.Syntax.Split(' ')[0]);
            Assert.StartsWith(verb.Help, entry.Text, StringComparison.Ordinal);
            Assert.All(verb.Arguments, argument =>
            {
                Assert.Contains(argument.Word, entry.Syntax, StringComparison.Ordinal);
                Assert.Contains($"{argument.Word}: {argument.Help}", entry.Text, StringComparison.Ordinal);
            });
        });
    }
}
