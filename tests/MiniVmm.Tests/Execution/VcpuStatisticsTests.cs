using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Execution;

public sealed class VcpuStatisticsTests
{
    [Fact]
    public void Reasons_are_listed_by_how_often_they_came()
    {
        VcpuStatistics statistics = new();
        Assert.Equal(0, statistics.FirstExit);
        statistics.Count((uint)KvmExitReason.KVM_EXIT_MMIO);
        statistics.Count((uint)KvmExitReason.KVM_EXIT_IO);
        statistics.Count((uint)KvmExitReason.KVM_EXIT_IO);

        Assert.Equal([(KvmExitReason.KVM_EXIT_IO, 2L), (KvmExitReason.KVM_EXIT_MMIO, 1L)], statistics.ByReason);
        Assert.Equal(3, statistics.Total);
        Assert.NotEqual(0, statistics.FirstExit);
    }

    [Fact]
    public void A_reason_of_a_later_kernel_counts_too()
    {
        VcpuStatistics statistics = new();

        statistics.Count(63);
        statistics.Count(64);
        statistics.Count(uint.MaxValue);

        Assert.Equal([((KvmExitReason)63, 3L)], statistics.ByReason);
    }
}
