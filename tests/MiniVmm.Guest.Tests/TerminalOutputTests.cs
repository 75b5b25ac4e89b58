namespace MiniVmm.Guest.Tests;

/// <summary>What is printed on a terminal is text, in colour at most: nothing switches the terminal's modes.</summary>
public sealed class TerminalOutputTests
{
    [Theory]
    [InlineData(ExitStatus.Success, "--help")]
    [InlineData(ExitStatus.Success, "--version")]
    [InlineData(ExitStatus.Success, "run", "--help")]
    [InlineData(ExitStatus.Success, "run", "--cpu", "help")]
    [InlineData(ExitStatus.Success, "bench", "exits", "--only", "help")]
    [InlineData(ExitStatus.Success, "ps")]
    [InlineData(ExitStatus.Success, "ps", "--json")]
    [InlineData(ExitStatus.Success, "man")]
    [InlineData(ExitStatus.Success, "completion", "bash")]
    [InlineData(ExitStatus.BadInput, "ctl", "nobody", "info")]
    [InlineData(ExitStatus.BadInput, "--nosuch")]
    [InlineData(ExitStatus.BadInput, "run", "/nonexistent")]
    [InlineData(ExitStatus.BadInput, "run", "--smp", "0", "/dev/null")]
    public async Task Nothing_but_text_and_colours(int status, params string[] arguments) =>
        AssertPlain(await RunAsync(status, arguments));

    [Fact]
    public async Task A_dry_run_prints_nothing_but_text_and_colours() =>
        AssertPlain(await RunAsync(ExitStatus.Success, "run", "--dry-run", Built.Guest("hello.elf")));

    [Theory]
    [InlineData("--mem-prealloc", "run", "--help")]
    [InlineData("--pin", "bench", "exits", "--help")]
    [InlineData("balloon", "ctl", "--help")]
    [InlineData("--help-qemu", "qemu", "--help")]
    public async Task Help_is_no_wider_than_the_terminal(string word, params string[] arguments)
    {
        using PseudoTerminal terminal = new();
        using MinivmmProcess vmm = terminal.StartProgram(["sh", "-c", "stty cols 60 && exec \"$@\"", "sh", Built.MiniVmm, .. arguments]);
        (await vmm.EndAsync()).With(ExitStatus.Success);

        string screen = await terminal.CloseAsync();
        Assert.Contains(word, screen);
        Assert.All(screen.Split('\n'), line => Assert.True(line.Length <= 60, line));
    }

    [Theory]
    [InlineData("60", 60)]
    [InlineData("400", 100)]
    [InlineData("wide", 100)]
    public async Task Help_in_a_pipe_is_as_wide_as_COLUMNS_says(string columns, int most)
    {
        MinivmmResult help = await MinivmmProcess.RunProgramAsync("env", $"COLUMNS={columns}", Built.MiniVmm, "run", "--help");

        Assert.InRange(help.With(ExitStatus.Success).Output.Split('\n').Max(line => line.Length), most - 5, most);
    }

    private static async Task<string> RunAsync(int status, params string[] arguments)
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess vmm = terminal.StartProgram([Built.MiniVmm, .. arguments]);
        (await vmm.EndAsync()).With(status);
        Assert.Equal(before, await terminal.SettingsAsync());
        return await terminal.CloseWithoutColoursAsync();
    }

    private static void AssertPlain(string screen)
    {
        Assert.NotEqual("", screen);
        Assert.DoesNotContain('\u001b', screen);
    }
}

/// <summary>The same where a KVM is needed.</summary>
public sealed class TerminalOutputOfGuestsTests : IClassFixture<UsableKvm>
{
    [Theory]
    [InlineData(ExitStatus.Success, "hello.elf", "--stats")]
    [InlineData(ExitStatus.GuestCrash, "crash.elf")]
    [InlineData(ExitStatus.Timeout, "crash.elf", "--append", "hang", "--timeout", "0.5")]
    public async Task Run_prints_nothing_but_text_and_colours(int status, string kernel, params string[] options)
    {
        using PseudoTerminal terminal = new();
        using MinivmmProcess vmm = terminal.StartProgram([Built.MiniVmm, "run", Built.Guest(kernel), .. options]);
        (await vmm.EndAsync()).With(status);

        string screen = await terminal.CloseWithoutColoursAsync();
        Assert.Contains(kernel == "hello.elf" ? "hello: ok" : "crash: ", screen);
        Assert.DoesNotContain('\u001b', screen);
    }

    /// <summary>The bar that is drawn meanwhile is wiped away, and the cursor shown again.</summary>
    [Fact]
    public async Task Bench_leaves_the_terminal_as_it_was()
    {
        using PseudoTerminal terminal = new();
        using MinivmmProcess vmm = terminal.StartProgram(
            Built.MiniVmm, "bench", "exits", "--only", "pio-out", "--count", "20", "--rounds", "2");
        _ = await vmm.EndAsync();

        string screen = await terminal.CloseAsync();
        Assert.Contains("pio-out", screen);
        int shown = screen.LastIndexOf("\u001b[?25h", StringComparison.Ordinal);
        int hidden = screen.LastIndexOf("\u001b[?25l", StringComparison.Ordinal);
        Assert.True(shown >= hidden);
        Assert.DoesNotContain("\u001b[?1h", screen);
        Assert.DoesNotContain("\u001b=", screen);
    }

    [Theory]
    [InlineData("-smp")]
    [InlineData("--mem=64M")]
    [InlineData("--")]
    public async Task Any_text_to_append_reaches_the_guest(string text)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("hello.elf"), "--append", text);

        Assert.Contains($" {text}\"", run.With(ExitStatus.Success).Output);
    }
}
