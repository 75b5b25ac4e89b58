using MiniVmm.Cli;
using MiniVmm.Devices;
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

    public static TheoryData<StopKind, uint, int> Ends => new()
    {
        { StopKind.PowerOff, 0, 0 },
        { StopKind.Reset, 0, 0 },
        { StopKind.DebugExit, 0, 1 },
        { StopKind.DebugExit, 0x10, 33 },
        { StopKind.DebugExit, 0xffff_ffff, 255 },
        { StopKind.Halted, 1, 0 },
        { StopKind.Crash, 1, 6 },
        { StopKind.RamUnavailable, 1, 4 },
        { StopKind.Timeout, 0, 124 },
        { StopKind.Interrupted, 0, 130 },
        { StopKind.OutputClosed, Errno.EPIPE, 130 },
        { StopKind.OutputClosed, Errno.ENOSPC, 4 },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void Each_reason_has_its_exit_status(StopKind kind, uint value, int status) =>
        Assert.Equal(status, ExitStatus.Of(new StopReason(kind, value)));

    [Fact]
    public void No_reason_is_forgotten() => Assert.Equal(
        Enum.GetValues<StopKind>().Except([StopKind.None]),
        Ends.Select(end => end.Data.Item1).Distinct());

    [Fact]
    public void A_file_that_cannot_be_used_and_a_host_that_cannot_differ()
    {
        Assert.Equal(2, ExitStatus.Of(new BadInputException("no such file")));
        Assert.Equal(2, ExitStatus.Of(new StateException("saved state: damaged")));
        Assert.Equal(4, ExitStatus.Of(new HostLimitException("no /dev/kvm")));
    }
}
