namespace MiniVmm.Guest.Tests;

/// <summary>minivmm top, as it is seen in tmux.</summary>
public sealed class TopTests : IClassFixture<UsableKvm>
{
    private const string Entering = "\u001b[?1049h", Leaving = "\u001b[?1049l";

    [Fact]
    public async Task Machines_are_watched_and_one_that_ends_is_shown_as_such()
    {
        string first = $"top-a-{Environment.ProcessId}", second = $"top-b-{Environment.ProcessId}";
        using MinivmmProcess busy = MinivmmProcess.Start("run", "--name", first, Built.Guest("exits.elf"), "--append", "pio-out 100000000");
        using MinivmmProcess idle = MinivmmProcess.Start("run", "--name", second, Built.Guest("crash.elf"), "--append", "hlt");
        await idle.Output.WaitForAsync("crash: ");

        using Tmux tmux = await Tmux.StartAsync("top", "--interval", "0.2");
        Assert.Matches($@"(?m)^> {first} +running ", await tmux.WaitForAsync("█"));
        await tmux.SendAsync("Enter");
        string exits = await tmux.WaitForAsync("fpu_reload"); // the last of the page
        Assert.Matches(@"(?m)^exits a second +vCPU 0$", exits);
        Assert.Matches(@"(?m)^KVM_EXIT_IO +[1-9][0-9,]*$", exits);
        Assert.Matches(@"(?m)^fpu_reload +[1-9][0-9,]*$", exits);
        await tmux.SendAsync("d");
        await tmux.WaitForAsync("guest RAM");
        await tmux.SendAsync("Down");
        await tmux.WaitForAsync($"{second}, running");

        (await MinivmmProcess.RunAsync("ctl", second, "stop")).With(ExitStatus.Success);
        await tmux.WaitForAsync($"{second}, ended");
        await tmux.ResizeAsync(60, 12);
        await tmux.WaitForAsync($"{second}, ended");
        await tmux.SendAsync("Escape");
        Assert.Matches($@"(?m)^> {second} +ended ", await tmux.WaitForAsync("machines, "));
        await tmux.SendAsync("q");

        string after = await tmux.WaitForEndAsync(ExitStatus.Success);
        Assert.DoesNotContain("machines, ", after, StringComparison.Ordinal); // what was on the terminal before is there again
        (await MinivmmProcess.RunAsync("ctl", first, "stop")).With(ExitStatus.Success);
    }

    [Theory]
    [InlineData(MinivmmProcess.SIGTERM)]
    [InlineData(MinivmmProcess.SIGHUP)]
    [InlineData(MinivmmProcess.SIGINT)]
    public async Task A_signal_leaves_the_terminal_as_it_was(int signal)
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess top = terminal.Start("top");
        await terminal.Screen.WaitForAsync(Entering);
        await terminal.SettingsOtherThanAsync(before);

        top.Signal(signal);

        (await top.EndAsync(closeInput: false)).With(ExitStatus.Interrupted);
        Assert.Equal(before, await terminal.SettingsAsync());
        Assert.EndsWith(Leaving, await terminal.CloseAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopped_it_gives_the_terminal_back_and_in_the_foreground_it_draws_all_again()
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess shell = terminal.StartProgram(
            ["bash", "-c", "set -m; \"$@\"; echo \"suspended with $?\"; read line; fg; echo \"ended with $?\"", "bash", Built.MiniVmm, "top"]);
        await terminal.Screen.WaitForAsync(Entering);
        string during = await terminal.SettingsOtherThanAsync(before);

        terminal.Type("\u001a");
        await terminal.Screen.WaitForAsync($"{Leaving}");
        await terminal.Screen.WaitForAsync("suspended with 148"); // 128 + SIGTSTP
        Assert.Equal(before, await terminal.SettingsAsync());
        int suspended = terminal.Screen.Text.Length;
        terminal.Type("\n");

        Assert.Equal(during, await terminal.SettingsOtherThanAsync(before));
        await Eventually.UntilAsync(() => terminal.Screen.Text[suspended..].Contains(Entering, StringComparison.Ordinal));
        terminal.Type("q");
        await terminal.Screen.WaitForAsync("ended with 0");
        (await shell.EndAsync()).With(0);
        Assert.Equal(before, await terminal.SettingsAsync());
    }

    [Fact]
    public async Task In_a_pipe_it_looks_once()
    {
        string name = $"top-c-{Environment.ProcessId}";
        using MinivmmProcess vmm = MinivmmProcess.Start("run", "--name", name, Built.Guest("crash.elf"), "--append", "hlt");
        await vmm.Output.WaitForAsync("crash: ");

        MinivmmResult run = await MinivmmProcess.RunAsync("watch", name, "--interval", "0.1");
        Assert.StartsWith($"{name}, running: ", run.With(ExitStatus.Success).Output, StringComparison.Ordinal);

        (await MinivmmProcess.RunAsync("ctl", name, "stop")).With(ExitStatus.Success);
        MinivmmResult never = await MinivmmProcess.RunAsync("top", "--interval", "999999999");
        Assert.Equal("--interval 999999999: longer than a day; that is no watching", never.With(ExitStatus.BadInput).OnlyLine());
        MinivmmResult none = await MinivmmProcess.RunAsync("watch", name);
        Assert.Equal($"minivmm: watch {name}: no machine of that name runs; minivmm ps lists those that do\n", none.With(ExitStatus.BadInput).Errors);
    }
}
