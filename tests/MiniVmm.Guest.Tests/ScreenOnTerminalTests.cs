namespace MiniVmm.Guest.Tests;

/// <summary>The guest's screen and keyboard on the user's terminal.</summary>
public sealed class ScreenOnTerminalTests : IClassFixture<UsableKvm>
{
    private const string AlternateScreen = "\u001b[?1049h", ScreenOfBefore = "\u001b[?1049l";

    [Fact]
    public async Task A_kernel_that_only_writes_to_0xb8000_is_seen_while_it_runs_with_no_option_but_the_file()
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess vmm = terminal.Start("run", Built.Guest("screen.elf"), "--append", "hold");

        await terminal.Screen.WaitForAsync("0xb8000");
        await terminal.Screen.WaitForAsync("╚══╝");
        terminal.Type("\u0001x");

        MinivmmResult run = (await vmm.EndAsync(closeInput: false)).With(ExitStatus.Interrupted);
        Assert.Contains("  | Text at 0xb8000\n", run.Errors, StringComparison.Ordinal);
        Assert.Equal(before, await terminal.SettingsAsync());
        string screen = await terminal.CloseAsync();
        Assert.Contains(AlternateScreen, screen, StringComparison.Ordinal);
        Assert.EndsWith(ScreenOfBefore, screen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("poll")]
    public async Task A_kernel_that_reads_scan_codes_gets_what_is_typed_on_the_terminal(string words)
    {
        using PseudoTerminal terminal = new();
        using MinivmmProcess vmm = terminal.Start("run", Built.Guest("keyboard.elf"), "--append", words);
        await terminal.Screen.WaitForAsync("keyboard");

        terminal.Type("Hi, all!");
        await terminal.Screen.WaitForAsync("!");
        terminal.Type("\u001b");

        MinivmmResult run = (await vmm.EndAsync(closeInput: false)).With(ExitStatus.Success);
        Assert.Contains("  | Hi, all!\n  | keyboard: ok\n", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kernel_that_prints_on_its_console_keeps_it_and_its_screen_is_a_key_away()
    {
        using PseudoTerminal terminal = new();
        using MinivmmProcess vmm = terminal.Start("run", Built.Guest("crash.elf"), "--append", "hang");
        await terminal.Screen.WaitForAsync("crash: endless loop");

        terminal.Type("\u0001c");
        await terminal.Screen.WaitForAsync(AlternateScreen);
        terminal.Type("\u0001c");
        await terminal.Screen.WaitForAsync(ScreenOfBefore);
        terminal.Type("\u0001x");

        (await vmm.EndAsync(closeInput: false)).With(ExitStatus.Interrupted);
    }

    [Fact]
    public async Task A_screen_that_was_asked_for_is_there_from_the_start_and_the_consoles_text_comes_after_it()
    {
        using PseudoTerminal terminal = new();
        using MinivmmProcess vmm = terminal.Start("run", "--display", "tty", Built.Guest("hello.elf"));

        (await vmm.EndAsync(closeInput: false)).With(ExitStatus.Success);

        string text = await terminal.CloseAsync();
        int left = text.IndexOf(ScreenOfBefore, StringComparison.Ordinal);
        Assert.InRange(text.IndexOf(AlternateScreen, StringComparison.Ordinal), 0, left);
        Assert.Contains("hello: ok", text[left..], StringComparison.Ordinal);
        Assert.DoesNotContain("hello: ok", text[..left], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tty", "minivmm: --display tty: standard output is not a terminal; ")]
    [InlineData("sdl", "minivmm: --display sdl: is not auto, none, tty or vnc=[HOST:]PORT")]
    public async Task A_display_that_cannot_be_is_an_error(string display, string message)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--display", display, Built.Guest("hello.elf"));

        run.With(ExitStatus.BadInput);
        Assert.StartsWith(message, run.Errors, StringComparison.Ordinal);
    }
}
