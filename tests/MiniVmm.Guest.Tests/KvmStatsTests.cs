using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Guest.Tests;

/// <summary>The kernel's own counts, read from a real KVM; here, since the KVM suite runs without one.</summary>
public sealed class KvmStatsTests : IClassFixture<UsableKvm>, IDisposable
{
    private readonly KvmSystem _kvm = KvmSystem.Open();
    private readonly KvmVm _vm;
    private readonly KvmVcpu _vcpu;

    public KvmStatsTests()
    {
        _vm = _kvm.CreateVm();
        _vcpu = _vm.CreateVcpu(0);
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _vm.Dispose();
        _kvm.Dispose();
    }

    [Theory]
    [InlineData("exits")]
    [InlineData("fpu_reload")]
    [InlineData("io_exits")]
    [InlineData("mmio_exits")]
    [InlineData("halt_exits")]
    [InlineData("signal_exits")]
    [InlineData("hypercalls")]
    public void A_vCPU_has_the_counter_and_it_starts_near_nothing(string name)
    {
        using KvmStats statistics = _vcpu.OpenStats();

        Assert.Contains(name, statistics.Names);
        Assert.True(statistics.TryRead(name, out ulong value));
        Assert.Equal(0u, value);
    }

    [Fact]
    public unsafe void Each_KVM_RUN_is_counted_even_one_that_does_not_enter()
    {
        using KvmStats statistics = _vcpu.OpenStats();
        _vcpu.Run->immediate_exit = 1;

        for (ulong calls = 1; calls <= 3; calls++)
        {
            Assert.Equal(Errno.EINTR, _vcpu.Enter());
            Assert.True(statistics.TryRead("fpu_reload", out ulong value));
            Assert.Equal(calls, value);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("no_such_counter")]
    [InlineData("EXITS")]
    [InlineData("exits ")]
    public void A_counter_that_the_kernel_does_not_keep_is_not_read(string name)
    {
        using KvmStats statistics = _vcpu.OpenStats();

        Assert.False(statistics.TryRead(name, out ulong value));
        Assert.Equal(0u, value);
    }

    [Fact]
    public void Names_are_whole_words_and_a_machine_has_others_than_a_vCPU()
    {
        using KvmStats ofVcpu = _vcpu.OpenStats();
        using KvmStats ofVm = _vm.OpenStats();

        Assert.All(ofVcpu.Names.Concat(ofVm.Names), name => Assert.Matches("^[a-zA-Z0-9_]+$", name));
        Assert.DoesNotContain("fpu_reload", ofVm.Names);
        Assert.NotEmpty(ofVm.Names);
    }

    [Fact]
    public unsafe void Events_times_and_states_are_told_apart_by_the_kernels_descriptors()
    {
        using KvmStats ofVcpu = _vcpu.OpenStats();
        using KvmStats ofVm = _vm.OpenStats();
        _vcpu.Run->immediate_exit = 1;
        _ = _vcpu.Enter();

        Dictionary<string, long> counts = ofVcpu.ReadCounts();
        Assert.Equal(1, counts["fpu_reload"]);
        Assert.DoesNotContain("io_exits", counts.Keys); // 0
        Assert.DoesNotContain(counts.Keys, name => name.EndsWith("_ns", StringComparison.Ordinal) || name.EndsWith("_hist", StringComparison.Ordinal));
        Assert.All(ofVcpu.ReadNanoseconds().Keys, name => Assert.EndsWith("_ns", name, StringComparison.Ordinal));
        Assert.All(ofVm.ReadStates().Keys, name => Assert.DoesNotContain(name, ofVm.ReadCounts().Keys));
        Assert.Empty(ofVm.ReadNanoseconds());
    }

    [Fact]
    public void The_call_that_a_vCPUs_thread_makes_for_them_allocates_nothing()
    {
        KvmStats.Own(_vcpu.TryOpenStats()).Dispose();
        long before = GC.GetAllocatedBytesForCurrentThread();

        int fd = _vcpu.TryOpenStats();

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        using KvmStats statistics = KvmStats.Own(fd);
        Assert.Contains("exits", statistics.Names);
    }

    [Fact]
    public void After_Dispose_nothing_is_read_and_a_second_one_is_nothing()
    {
        KvmStats statistics = _vcpu.OpenStats();

        statistics.Dispose();
        statistics.Dispose();

        Assert.Throws<ObjectDisposedException>(() => statistics.TryRead("exits", out _));
    }

    [Fact]
    public void They_outlive_the_vCPU_that_they_are_of()
    {
        KvmVcpu other = _vm.CreateVcpu(1);
        using KvmStats statistics = other.OpenStats();
        other.Dispose();

        Assert.True(statistics.TryRead("exits", out _));
    }
}
