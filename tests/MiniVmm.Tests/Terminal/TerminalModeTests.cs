using MiniVmm.Terminal;
using Tmds.Linux;

namespace MiniVmm.Tests.Terminal;

public sealed class TerminalModeTests
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    [Fact]
    public void Raw_mode_gives_every_key_at_once_unechoed_and_keeps_output_processing()
    {
        using PseudoTerminal terminal = new();
        ulong output = (ulong)(uint)terminal.Mode.c_oflag;

        using TerminalMode raw = TerminalMode.Of(terminal.Fd)!;

        Assert.True(raw.EnterRaw());
        termios mode = terminal.Mode;
        Assert.Equal(0u, (uint)mode.c_lflag & (uint)(LibC.ECHO | LibC.ICANON | LibC.ISIG | LibC.IEXTEN));
        var changed = LibC.ICRNL | LibC.IXON | LibC.BRKINT | LibC.ISTRIP | LibC.INLCR | LibC.IGNCR;
        Assert.Equal(0u, (uint)mode.c_iflag & (uint)changed);
        Assert.Equal((uint)LibC.CS8, (uint)mode.c_cflag & (uint)LibC.CSIZE);
        Assert.Equal(output, (uint)mode.c_oflag);
    }

    [Fact]
    public void Disposal_puts_back_exactly_what_was_and_only_once()
    {
        using PseudoTerminal terminal = new();
        byte[] before = terminal.ModeBytes;

        TerminalMode raw = TerminalMode.Of(terminal.Fd)!;
        raw.EnterRaw();
        byte[] during = terminal.ModeBytes;
        Assert.NotEqual(before, during);
        raw.Dispose();
        Assert.Equal(before, terminal.ModeBytes);

        using (TerminalMode other = TerminalMode.Of(terminal.Fd)!)
        {
            other.EnterRaw();
            raw.Dispose();
            Assert.False(raw.EnterRaw());
            Assert.Equal(during, terminal.ModeBytes);
        }

        Assert.Equal(before, terminal.ModeBytes);
    }

    [Fact]
    public void Entered_again_it_still_puts_back_what_was_before_the_first_time()
    {
        using PseudoTerminal terminal = new();
        byte[] before = terminal.ModeBytes;
        using TerminalMode raw = TerminalMode.Of(terminal.Fd)!;
        raw.EnterRaw();
        byte[] during = terminal.ModeBytes;

        raw.Restore();
        Assert.Equal(before, terminal.ModeBytes);
        raw.EnterRaw();
        Assert.Equal(during, terminal.ModeBytes);

        // As after SIGSTOP, when a shell gives a job its raw mode back before it goes on.
        raw.EnterRaw();
        raw.Restore();
        Assert.Equal(before, terminal.ModeBytes);
    }

    [Fact]
    public async Task A_terminal_whose_reader_takes_nothing_is_put_back_too()
    {
        using PseudoTerminal terminal = new();
        byte[] before = terminal.ModeBytes;
        using TerminalMode raw = TerminalMode.Of(terminal.Fd)!;
        raw.EnterRaw();
        Thread writer = new(terminal.WriteUntilHungUp);
        writer.Start();
        Assert.True(SpinWait.SpinUntil(() => !terminal.TakesText, Longest));
        Task restored = Task.Factory.StartNew(raw.Restore, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await restored.WaitAsync(Longest, TestContext.Current.CancellationToken);
            Assert.Equal(before, terminal.ModeBytes);
        }
        finally
        {
            terminal.HangUp();
            writer.Join();
        }
    }

    [Fact]
    public void A_terminal_that_is_not_this_processes_own_is_left_alone()
    {
        using PseudoTerminal terminal = new();
        byte[] before = terminal.ModeBytes;

        using (TerminalMode mode = TerminalMode.Of(terminal.Fd)!)
        {
            Assert.False(mode.IsForeground);
            Assert.False(mode.TryEnterRaw());
            Assert.False(mode.TryStayRaw());
        }

        Assert.Equal(before, terminal.ModeBytes);
    }

    [Fact]
    public void What_is_no_terminal_has_no_mode()
    {
        using Pipe pipe = new();

        Assert.Null(TerminalMode.Of(pipe.Reader));
        Assert.Null(TerminalMode.Of(-1));
    }
}
