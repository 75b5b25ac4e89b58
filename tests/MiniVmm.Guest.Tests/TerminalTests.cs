namespace MiniVmm.Guest.Tests;

/// <summary>The guest's serial port on a terminal: keys go to the guest, and the terminal is put back.</summary>
public sealed class TerminalTests : IClassFixture<UsableKvm>
{
    private const string CtrlA = "\u0001";
    private const string CtrlC = "\u0003";

    private static readonly string Crash = Built.Guest("crash.elf");

    [Fact]
    public async Task Ctrl_A_h_shows_help_and_Ctrl_A_x_ends_it_with_130()
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess vmm = terminal.Start("run", Crash, "--append", "hang");
        await terminal.Screen.WaitForAsync("crash: endless loop");
        string during = await terminal.SettingsAsync();

        terminal.Type(CtrlA + "h");
        await vmm.Errors.WaitForAsync("Ctrl-A x");
        terminal.Type(CtrlA + "x");

        (await vmm.EndAsync()).With(ExitStatus.Interrupted);
        Assert.NotEqual(before, during);
        Assert.Equal(before, await terminal.SettingsAsync());
    }

    [Fact]
    public async Task Ctrl_C_and_other_keys_go_to_the_guest_and_are_not_echoed()
    {
        using PseudoTerminal terminal = new();
        using MinivmmProcess vmm = terminal.Start("run", Crash, "--append", "hang");
        await terminal.Screen.WaitForAsync("crash: endless loop");

        terminal.Type($"typed{CtrlC}{CtrlA}h");
        await vmm.Errors.WaitForAsync("Ctrl-A x"); // so it has had the Ctrl-C, and lives
        terminal.Type(CtrlA + "x");

        (await vmm.EndAsync()).With(ExitStatus.Interrupted);
        Assert.Equal("crash: endless loop\n", await terminal.CloseAsync());
    }

    [Theory]
    [InlineData(MinivmmProcess.SIGTERM)]
    [InlineData(MinivmmProcess.SIGINT)]
    [InlineData(MinivmmProcess.SIGHUP)]
    public async Task A_signal_leaves_the_terminal_as_it_was(int signal)
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess vmm = terminal.Start("run", Crash, "--append", "hang");
        await terminal.Screen.WaitForAsync("crash: endless loop");
        Assert.NotEqual(before, await terminal.SettingsAsync());

        vmm.Signal(signal);

        (await vmm.EndAsync()).With(ExitStatus.Interrupted);
        Assert.Equal(before, await terminal.SettingsAsync());
    }

    [Theory]
    [InlineData(ExitStatus.Success, "hello.elf")]
    [InlineData(ExitStatus.GuestCrash, "crash.elf")]
    [InlineData(ExitStatus.Timeout, "crash.elf", "--append", "hang", "--timeout", "0.5")]
    [InlineData(ExitStatus.BadInput, "hello.elf", "--smp", "0")]
    [InlineData(ExitStatus.HostLimit, "hello.elf", "--pin", "1023")]
    public async Task However_it_ends_the_terminal_is_as_it_was(int status, string kernel, params string[] options)
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();

        using MinivmmProcess vmm = terminal.Start(["run", Built.Guest(kernel), .. options]);

        (await vmm.EndAsync()).With(status);
        Assert.Equal(before, await terminal.SettingsAsync());
    }
}
