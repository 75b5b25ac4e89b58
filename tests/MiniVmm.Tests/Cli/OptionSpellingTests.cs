using System.CommandLine;
using CsCheck;
using MiniVmm.Tools.Reference;

namespace MiniVmm.Tests.Cli;

/// <summary>Any text is a value where a value is due, and QEMU's spellings are options' names only.</summary>
public sealed class OptionSpellingTests
{
    private static readonly string[] Awkward =
    [
        "-smp", "--mem=64M", "--mem", "-m", "--", "-", "=", "", "--append", "-append", "--help", "-h", "-?", "/?", "@file",
        "[suggest]", "a:b", "=x", "--x=", "run", " ", "\"", "-append=x", ":", "true",
    ];

    public static TheoryData<string> AwkwardTexts => [.. Awkward];

    [Theory]
    [MemberData(nameof(AwkwardTexts))]
    public void Whatever_stands_behind_append_is_its_value(string text)
    {
        string[][] lines =
        [
            ["run", "k", "--append", text], ["run", "--append", text, "k"], ["run", "-append", text, "k"],
            ["run", "k", $"--append={text}"], ["run", $"-append={text}", "k"],
            ["run", "-smp", "2", "--append", text, "-m", "64M", "k"],
        ];

        Assert.All(lines, line =>
        {
            ParseResult result = CommandLines.Parse(line);
            Assert.Equal(text, result.GetValue<string>("--append"));
            Assert.Equal("k", result.GetValue<string>("KERNEL"));
        });
    }

    [Fact]
    public void QEMUs_short_options_for_gdb_are_a_port_and_a_guest_that_waits()
    {
        ParseResult result = CommandLines.Parse("run", "-s", "-S", "k");

        Assert.Equal("1234", result.GetValue<string>("--gdb"));
        Assert.True(result.GetValue<bool>("--gdb-wait"));
        Assert.NotNull(CommandLines.Problem("ps", "-s"));
    }

    [Fact]
    public void Any_text_reaches_append_unchanged() => Gen.Char[' ', '~'].Array[0, 12].Sample(letters =>
    {
        string text = new(letters);
        ParseResult result = CommandLines.Parse("run", "--append", text, "k");
        return result.GetValue<string>("--append") == text
            && CommandLines.Parse("run", $"-append={text}", "k").GetValue<string>("--append") == text
            && result.GetValue<string>("KERNEL") == "k";
    });

    [Fact]
    public void Every_option_with_a_value_of_every_command_takes_any_text()
    {
        int options = 0;
        foreach (Command command in CommandPage.Tree(CommandLines.Root))
        {
            string[] words = CommandPage.Words(command).Split(' ')[1..];
            string[] arguments = [.. command.Arguments.Select(_ => "bash")];
            foreach (Option option in command.Options.Where(option => option.Arity.MinimumNumberOfValues > 0))
            {
                options++;
                Assert.All(Awkward, text => Assert.All(CommandPage.Names(option), name =>
                {
                    ParseResult result = CommandLines.Parse([.. words, .. arguments, name, text]);
                    Assert.Equal([text], result.GetResult(option)!.Tokens.Select(token => token.Value));
                    Assert.All(
                        command.Arguments,
                        argument => Assert.Equal(["bash"], result.GetResult(argument)!.Tokens.Select(token => token.Value)));
                }));
            }
        }

        Assert.True(options > 20, $"{options} options seen");
    }

    [Theory]
    [InlineData("--smp", "3", "-smp", "3")]
    [InlineData("--smp", "3", "-smp=3")]
    [InlineData("--mem", "1G", "-m", "1G")]
    [InlineData("--mem", "1G", "-m=1G")]
    [InlineData("--cpu", "qemu64", "-cpu", "qemu64")]
    [InlineData("--mem-path", "/x", "-mem-path", "/x")]
    [InlineData("--kernel", "-smp", "-kernel", "-smp")]
    [InlineData("--kernel", "bench", "--kernel", "bench")]
    [InlineData("--initrd", "i", "-initrd", "i")]
    [InlineData("--initrd", "i", "-initrd=i")]
    [InlineData("--balloon", "64M", "--balloon", "64M")]
    [InlineData("--balloon", "64M", "--balloon=64M")]
    [InlineData("--balloon", null, "--balloon", "-smp", "2")]
    [InlineData("--balloon", null, "--balloon", "--", "k")]
    [InlineData("--balloon", null, "k", "--balloon")]
    [InlineData("--balloon", "", "--balloon=", "k")]
    public void A_value_is_found_in_each_spelling(string option, string? value, params string[] words) =>
        Assert.Equal(value, CommandLines.Parse(["run", .. words]).GetValue<string>(option));

    [Fact]
    public void A_switch_of_QEMUs_spelling_is_a_switch()
    {
        ParseResult result = CommandLines.Parse("run", "-mem-prealloc", "k");

        Assert.True(result.GetValue<bool>("--mem-prealloc"));
        Assert.Equal("k", result.GetValue<string>("KERNEL"));
    }

    [Theory]
    [InlineData(true, "--rng")]
    [InlineData(true, "--rng=on")]
    [InlineData(true, "--rng=Yes")]
    [InlineData(true, "--rng=true")]
    [InlineData(false, "--rng=off")]
    [InlineData(false, "--rng=no")]
    [InlineData(true, "-mem-prealloc=on", "--mem-prealloc")]
    [InlineData(false, "-mem-prealloc=off", "--mem-prealloc")]
    public void A_switch_may_be_on_or_off(bool expected, string word, string option = "--rng")
    {
        ParseResult result = CommandLines.Parse("run", word, "k");

        Assert.Equal(expected, result.GetValue<bool>(option));
        Assert.Equal("k", result.GetValue<string>("KERNEL"));
    }

    [Theory]
    [InlineData("--rng=perhaps", "--rng perhaps: use on or off")]
    [InlineData("--dry-run=", "--dry-run=: use on or off")]
    public void A_switch_has_no_other_value(string word, string error) =>
        Assert.Equal(error, Assert.Throws<BadInputException>(() => CommandLines.Parse("run", word, "k")).Message);

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    [InlineData("on")]
    public void What_stands_behind_a_switch_is_not_its_value(string kernel)
    {
        ParseResult result = CommandLines.Parse("run", "--rng", "--mem-merge", kernel);

        Assert.Equal(kernel, result.GetValue<string>("KERNEL"));
        Assert.True(result.GetValue<bool>("--rng") && result.GetValue<bool>("--mem-merge"));
    }

    [Fact]
    public void A_switch_given_twice_is_on() =>
        Assert.True(CommandLines.Parse("run", "--rng", "--rng", "k").GetValue<bool>("--rng"));

    [Fact]
    public void Nothing_behind_two_dashes_is_an_option() =>
        Assert.Equal("-smp", CommandLines.Parse("run", "--rng", "--", "-smp").GetValue<string>("KERNEL"));

    [Fact]
    public void An_option_given_twice_keeps_both_values() => Assert.Equal(
        ["-a", "b"], CommandLines.Parse("run", "k", "--disk", "-a", "--disk", "b").GetValue<string[]>("--disk")!);

    [Theory]
    [InlineData("--append", "run", "k", "--append")]
    [InlineData("--smp", "run", "k", "-smp")]
    [InlineData("unknown option -smp", "ps", "-smp", "2")]
    [InlineData("unknown option -rng", "run", "k", "-rng")]
    [InlineData("--mem", "run", "k", "--mem", "1G", "-m", "2G")]
    [InlineData("--timeout: no value stands between it and --format", "run", "--timeout", "--format", "flat16", "k")]
    [InlineData("--mem: no value stands between it and -smp", "run", "-m", "-smp", "2", "k")]
    [InlineData("'k' is one word too many", "run", "--append", "-a", "b", "k")]
    public void What_makes_no_sense_is_named(string expected, params string[] words) =>
        Assert.Contains(expected, CommandLines.Problem(words));
}
