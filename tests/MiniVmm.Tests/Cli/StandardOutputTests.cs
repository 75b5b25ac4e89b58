using System.Text.RegularExpressions;

namespace MiniVmm.Tests.Cli;

public sealed partial class StandardOutputTests
{
    /// <summary>
    /// .NET's Console switches a terminal's keypad mode when it is first used, and again at each SIGCONT; so does
    /// Spectre's own console, which is on it. MiniVmm.Serve may use it: its log is written by .NET's own writer to it, and
    /// it gives no guest a terminal.
    /// </summary>
    [Fact]
    public void No_source_uses_the_runtimes_console()
    {
        string folder = Path.Combine(Repository.Root, "src");
        string[] sources = [.. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal)
                && !file.Contains("/MiniVmm.Serve/", StringComparison.Ordinal))];

        Assert.True(sources.Length > 100, $"{sources.Length} files seen");
        Assert.All(sources, file => Assert.DoesNotMatch(RuntimesConsole(), File.ReadAllText(file)));
    }

    [Theory]
    [InlineData("x = Console.Out;", true)]
    [InlineData("AnsiConsole.Write(table)", true)]
    [InlineData("System.Console.WriteLine()", true)]
    [InlineData("AnsiConsole.Create(settings)", false)]
    [InlineData("using Spectre.Console;", false)]
    public void A_use_of_it_is_seen(string text, bool seen) => Assert.Equal(seen, RuntimesConsole().IsMatch(text));

    [GeneratedRegex(@"(?<!Spectre\.)\bConsole\.[A-Z]|\bAnsiConsole\.(?!Create)[A-Z]")]
    private static partial Regex RuntimesConsole();
}
