using System.Diagnostics;
using MiniVmm.Host;

namespace MiniVmm.Kvm.Tests;

public sealed class ProcessHandleTests
{
    private const int SIGTERM = 15;

    [Fact]
    public void A_process_is_waited_for_and_signalled_as_long_as_it_is_there()
    {
        using Process sleep = Process.Start("sleep", "600");
        using ProcessHandle handle = ProcessHandle.TryOpen(sleep.Id)!;

        Assert.False(handle.WaitForEnd(TimeSpan.Zero));
        Assert.True(handle.TrySignal(SIGTERM));
        Assert.True(handle.WaitForEnd(TimeSpan.FromMinutes(1)));
        sleep.WaitForExit();
        Assert.Equal(128 + SIGTERM, sleep.ExitCode);
        Assert.True(handle.WaitForEnd(TimeSpan.Zero));
        Assert.False(handle.TrySignal(SIGTERM));
    }

    [Fact]
    public void What_is_no_process_has_no_handle() => Assert.Null(ProcessHandle.TryOpen(int.MaxValue));
}
