using MiniVmm.Host;
using MiniVmm.Terminal;
using Tmds.Linux;

namespace MiniVmm.Tests.Terminal;

public sealed unsafe class TerminalSizeTests
{
    [Fact]
    public void A_terminals_size_is_told_at_once()
    {
        using PseudoTerminal terminal = new();
        SetSize(terminal.Fd, 132, 43);
        List<(ushort, ushort)> told = [];

        using TerminalSize? followed =
            TerminalSize.TryFollow(terminal.Fd, (columns, rows) => told.Add((columns, rows)));

        Assert.NotNull(followed);
        Assert.Equal([(132, 43)], told);
    }

    [Fact]
    public void A_change_is_told_of_until_the_end()
    {
        using PseudoTerminal terminal = new();
        SetSize(terminal.Fd, 80, 25);
        using SemaphoreSlim changed = new(0);
        (int, int) last = default;
        TerminalSize? followed = TerminalSize.TryFollow(terminal.Fd, (columns, rows) =>
        {
            last = (columns, rows);
            changed.Release();
        });
        changed.Wait();
        SetSize(terminal.Fd, 100, 30);

        Assert.Equal(0, LibC.kill(Environment.ProcessId, LibC.SIGWINCH));
        changed.Wait();

        Assert.Equal((100, 30), last);
        followed!.Dispose();
    }

    [Fact]
    public void A_terminal_that_has_no_size_yet_tells_it_once_it_has_one()
    {
        using PseudoTerminal terminal = new();
        SetSize(terminal.Fd, 0, 0);
        using SemaphoreSlim changed = new(0);
        List<(int, int)> told = [];

        using TerminalSize? followed = TerminalSize.TryFollow(terminal.Fd, (columns, rows) =>
        {
            told.Add((columns, rows));
            changed.Release();
        });
        Assert.NotNull(followed);
        SetSize(terminal.Fd, 100, 30);
        Assert.Equal(0, LibC.kill(Environment.ProcessId, LibC.SIGWINCH));
        changed.Wait();

        Assert.Equal([(100, 30)], told);
    }

    [Fact]
    public void What_is_no_terminal_is_not_followed()
    {
        using Pipe pipe = new();

        Assert.Null(TerminalSize.TryFollow(pipe.Reader, (_, _) => Assert.Fail("a pipe has no size")));
    }

    private static void SetSize(int fd, ushort columns, ushort rows)
    {
        winsize size = new() { ws_col = columns, ws_row = rows };
        Assert.Equal(0, Linux.Ioctl(fd, (nuint)LibC.TIOCSWINSZ, (nuint)(&size)));
    }
}
