using System.Text.RegularExpressions;
using MiniVmm.Cli.Qemu;

namespace MiniVmm.Tests.Cli;

/// <summary>Every command line of minivmm that the documentation shows is one that it takes.</summary>
public sealed partial class DocumentedCommandLinesTests
{
    public static TheoryData<string> Files => [.. DocumentationPages.All()];

    [Theory]
    [MemberData(nameof(Files))]
    public void Its_command_lines_make_sense(string file) =>
        Assert.All(CommandLinesOf(DocumentationPages.Text(file)), words => Assert.Null(Problem(words)));

    [Fact]
    public void The_readme_has_some() =>
        Assert.True(CommandLinesOf(DocumentationPages.Text("README.md")).Count() > 8);

    [Theory]
    [InlineData("    tests/lab/lab --nokvm -- out/minivmm nurse   # without a KVM", false)]
    [InlineData("$ out/minivmm run --nosuch kernel", false)]
    [InlineData("By hand: `minivmm nurse`.", false)]
    [InlineData("$ out/minivmm run --smp 2 kernel; echo $?", true)]
    public void One_that_makes_none_is_found(string text, bool good) =>
        Assert.Equal(good, Assert.Single(CommandLinesOf(text)) is var words && Problem(words) is null);

    private static string? Problem(string[] words)
    {
        if (words is not ["qemu", .. string[] options])
            return CommandLines.Problem(words);
        try
        {
            if (options.Length > 0 && !options.Contains("--help-qemu"))
                _ = QemuTranslation.Translate(options);
            return null;
        }
        catch (BadInputException e)
        {
            return e.Message;
        }
    }

    /// <summary>Those in code: behind a prompt, indented, or between backticks.</summary>
    private static IEnumerable<string[]> CommandLinesOf(string text)
    {
        string joined = text.Replace("\\\n", " ", StringComparison.Ordinal);
        IEnumerable<string> blocks = Block().Matches(joined).Select(match => match.Groups[1].Value);
        IEnumerable<string> inline = Inline().Matches(DocumentationPages.WithoutFences(joined))
            .Select(match => match.Groups[1].Value.Replace('\n', ' '));
        foreach (string line in blocks.Concat(inline))
        {
            // A placeholder is a value; what may be left out is there; "…" says that more can follow.
            string plain = line.Replace("[", "", StringComparison.Ordinal)
                .Replace("]", "", StringComparison.Ordinal)
                .Replace("…", "", StringComparison.Ordinal);
            foreach (string[] words in ShellWords.CommandLines(plain).Where(words => words.Length > 0))
                yield return Completed(words);
        }
    }

    /// <summary>A command that is only named, with what it needs.</summary>
    private static string[] Completed(string[] words) => words switch
    {
        ["bench"] => ["bench", "exits"],
        ["ctl"] => ["ctl", "name", "info"],
        ["ctl", string name] => ["ctl", name, "info"],
        _ => words,
    };

    [GeneratedRegex(@"^(?:    (?=\S*minivmm |tests/)| *\$ )(.*\bminivmm .*)$", RegexOptions.Multiline)]
    private static partial Regex Block();

    [GeneratedRegex(@"`([^`]*\bminivmm [^`]*)`|`[^`]*`")]
    private static partial Regex Inline();
}
