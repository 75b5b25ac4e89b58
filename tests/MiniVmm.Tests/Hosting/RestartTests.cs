using MiniVmm.Execution;
using MiniVmm.Hosting;

namespace MiniVmm.Tests.Hosting;

public sealed class RestartTests
{
    [Theory]
    [InlineData(RestartPolicy.Never, StopKind.Crash, 0, false)]
    [InlineData(RestartPolicy.OnFailure, StopKind.PowerOff, 0, false)]
    [InlineData(RestartPolicy.OnFailure, StopKind.Reset, 0, true)]
    [InlineData(RestartPolicy.OnFailure, StopKind.DebugExit, 0, false)]
    [InlineData(RestartPolicy.OnFailure, StopKind.DebugExit, 3, true)]
    [InlineData(RestartPolicy.OnFailure, StopKind.Crash, 0, true)]
    [InlineData(RestartPolicy.OnFailure, StopKind.RamUnavailable, 0, true)]
    [InlineData(RestartPolicy.OnFailure, StopKind.Timeout, 0, true)]
    [InlineData(RestartPolicy.Always, StopKind.PowerOff, 0, true)]
    public void A_policy_decides_by_the_end(RestartPolicy policy, StopKind kind, uint value, bool restarts) =>
        Assert.Equal(restarts, policy.Restarts(new(kind, value)));

    [Fact]
    public void The_wait_doubles_up_to_its_cap()
    {
        RestartBackoff backoff = new(
            TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), stableAfter: TimeSpan.FromSeconds(60));

        Assert.Equal(
            [1, 2, 4, 5, 5],
            Enumerable.Range(0, 5).Select(_ => backoff.Next(TimeSpan.FromSeconds(59)).TotalSeconds));
        Assert.Equal([1, 2], [backoff.Next(TimeSpan.FromSeconds(60)).TotalSeconds, backoff.Next(default).TotalSeconds]);
    }
}
