using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Memory;
using MiniVmm.Terminal;

namespace MiniVmm.Tests.Terminal;

public sealed class ScreenViewTests : IDisposable
{
    private const ulong RamSize = 2 * MemoryLayout.MiB;
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);
    private readonly RamBacking _backing = RamBacking.Allocate(new(RamSize), RamSize);

    public void Dispose() => _backing.Dispose();

    [Fact]
    public async Task Its_end_does_not_wait_for_a_terminal_that_takes_nothing()
    {
        using PseudoTerminal terminal = new();
        StreamPairs.Fill(terminal.Fd);
        GuestScreen screen = new(_backing.Slots(new GuestMemoryMap(RamSize)), new VgaCrtc());
        ScreenView view = new(screen, terminal.Fd, null) { LastWait = 1 };
        Task shown = OnThread(view.Show);
        Assert.True(SpinWait.SpinUntil(() => view.IsShown, Longest));
        Task ended = OnThread(view.Dispose);
        try
        {
            await ended.WaitAsync(Longest, TestContext.Current.CancellationToken);
        }
        finally
        {
            terminal.HangUp();
            await shown.WaitAsync(Longest, TestContext.Current.CancellationToken);
        }
    }

    private static Task OnThread(Action act) =>
        Task.Factory.StartNew(act, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
