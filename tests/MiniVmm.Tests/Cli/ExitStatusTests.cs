using MiniVmm.Cli;
using MiniVmm.Execution;
using MiniVmm.Host;

namespace MiniVmm.Tests.Cli;

public sealed class ExitStatusTests
{
    [Theory]
    [InlineData(0u, 1)]
    [InlineData(21u, 43)]
    [InlineData(0x80u, 1)]
    public void Debug_exit_is_odd_and_keeps_eight_bits(uint value, int status) =>
        Assert.Equal(status, ExitStatus.FromDebugExit(value));

    [Theory]
    [InlineData(StopKind.PowerOff, 0, 0)]
    [InlineData(StopKind.Reset, 0, 0)]
    [InlineData(StopKind.DebugExit, 0, 1)]
    [InlineData(StopKind.DebugExit, 0x10, 33)]
    [InlineData(StopKind.DebugExit, 0xffff_ffff, 255)]
    [InlineData(StopKind.Crash, 1, 6)]
    [InlineData(StopKind.RamUnavailable, 1, 4)]
    [InlineData(StopKind.Timeout, 0, 124)]
    [InlineData(StopKind.Interrupted, 0, 130)]
    [InlineData(StopKind.OutputClosed, Errno.EPIPE, 130)]
    [InlineData(StopKind.OutputClosed, Errno.ENOSPC, 4)]
    public void Each_reason_has_its_exit_status(StopKind kind, uint value, int status) =>
        Assert.Equal(status, ExitStatus.Of(new StopReason(kind, value)));

    [Fact]
    public void A_file_that_cannot_be_used_and_a_host_that_cannot_differ()
    {
        Assert.Equal(2, ExitStatus.Of(new BadInputException("no such file")));
        Assert.Equal(4, ExitStatus.Of(new HostLimitException("no /dev/kvm")));
    }
}
