using System.Diagnostics;
using MiniVmm.Diagnostics;

namespace MiniVmm.Tests.Diagnostics;

public sealed class MilestonesTests
{
    [Fact]
    public void Steps_are_kept_in_the_order_they_were_reached_with_their_own_times()
    {
        Milestones milestones = new();
        long early = Stopwatch.GetTimestamp();
        milestones.Reach("first");
        milestones.Reach("noted late", early);

        Assert.Equal(["first", "noted late"], milestones.Steps.Select(step => step.Name));
        Assert.InRange(milestones.Steps[1].At, TimeSpan.Zero, milestones.Steps[0].At);
    }
}
