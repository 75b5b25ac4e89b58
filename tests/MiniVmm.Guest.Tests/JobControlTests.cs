namespace MiniVmm.Guest.Tests;

/// <summary>
/// A machine as a shell's job on a terminal: stopped it leaves the terminal as it was, and in the foreground it has its keys.
/// </summary>
public sealed class JobControlTests : IClassFixture<UsableKvm>
{
    private const string CtrlA = "\u0001";

    private static readonly string[] Hang = [Built.MiniVmm, "run", Built.Guest("crash.elf"), "--append", "hang"];

    [Fact]
    public async Task Ctrl_A_z_suspends_it_and_fg_goes_on()
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess shell = terminal.StartProgram(
            ["bash", "-c", "set -m; \"$@\"; echo \"suspended with $?\"; read line; fg; echo \"ended with $?\"", "bash", .. Hang]);
        await terminal.Screen.WaitForAsync("crash: endless loop");
        string during = await terminal.SettingsOtherThanAsync(before);

        terminal.Type(CtrlA + "z");
        await terminal.Screen.WaitForAsync("suspended with 148"); // 128 + SIGTSTP
        Assert.Equal(before, await terminal.SettingsAsync());
        terminal.Type("\n");

        Assert.Equal(during, await terminal.SettingsOtherThanAsync(before));
        terminal.Type(CtrlA + "h");
        await terminal.Screen.WaitForAsync("Ctrl-A z");
        terminal.Type(CtrlA + "x");
        await terminal.Screen.WaitForAsync($"ended with {ExitStatus.Interrupted}");
        (await shell.EndAsync()).With(0);
        Assert.Equal(before, await terminal.SettingsAsync());
    }

    [Fact]
    public async Task Started_in_the_background_it_leaves_the_terminal_alone_until_it_is_brought_to_the_front()
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess shell = terminal.StartProgram(
            ["bash", "-c", "set -m; \"$@\" & read line; fg; echo \"ended with $?\"", "bash", .. Hang]);
        await terminal.Screen.WaitForAsync("crash: endless loop");
        Assert.Equal(before, await terminal.SettingsAsync());

        terminal.Type("\n");
        await terminal.SettingsOtherThanAsync(before);
        terminal.Type(CtrlA + "x");

        await terminal.Screen.WaitForAsync($"ended with {ExitStatus.Interrupted}");
        (await shell.EndAsync()).With(0);
        Assert.Equal(before, await terminal.SettingsAsync());
    }

    // No key is typed in between, which would wake it; and fg sends nothing to a job that runs already.
    [Theory]
    [InlineData("TSTP")]
    [InlineData("STOP")]
    public async Task Stopped_and_continued_in_the_background_it_has_its_keys_again_once_in_the_foreground(string signal)
    {
        using TemporaryFolder folder = new();
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        string script = $$"""
            set -m
            step() { until [ -e '{{folder.Path}}'/$1 ]; do sleep 0.05; done; }
            bash -c 'echo $$ >"$0"; exec "$@"' '{{folder["pid"]}}' "$@"
            echo suspended; step bg; bg; echo continued; step fg; fg; echo "ended with $?"
            """;
        using MinivmmProcess shell = terminal.StartProgram(["bash", "-c", script, "bash", .. Hang]);
        await terminal.Screen.WaitForAsync("crash: endless loop");
        string during = await terminal.SettingsOtherThanAsync(before);

        (await MinivmmProcess.RunProgramAsync("kill", $"-{signal}", File.ReadAllText(folder["pid"]).Trim())).With(0);
        await terminal.Screen.WaitForAsync("suspended");
        await terminal.SetAsync(before);
        File.WriteAllText(folder["bg"], "");
        await terminal.Screen.WaitForAsync("continued");
        Assert.Equal(before, await terminal.SettingsAsync());
        File.WriteAllText(folder["fg"], "");

        Assert.Equal(during, await terminal.SettingsOtherThanAsync(before));
        terminal.Type(CtrlA + "x");
        await terminal.Screen.WaitForAsync($"ended with {ExitStatus.Interrupted}");
        (await shell.EndAsync()).With(0);
        Assert.Equal(before, await terminal.SettingsAsync());
    }

    [Fact]
    public async Task Continued_after_SIGSTOP_it_has_raw_mode_again_whatever_was_set_in_between()
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess vmm = terminal.Start(Hang[1..]);
        await terminal.Screen.WaitForAsync("crash: endless loop");
        string during = await terminal.SettingsOtherThanAsync(before);

        await vmm.SuspendAsync();
        await terminal.SetAsync(before);
        Assert.Equal(before, await terminal.SettingsAsync());
        vmm.Resume();

        Assert.Equal(during, await terminal.SettingsOtherThanAsync(before));
        terminal.Type(CtrlA + "x");
        (await vmm.EndAsync()).With(ExitStatus.Interrupted);
        Assert.Equal(before, await terminal.SettingsAsync());
    }
}
