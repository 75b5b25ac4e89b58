using BenchmarkDotNet.Attributes;
using MiniVmm.Cpu;
using MiniVmm.Kvm;

namespace MiniVmm.Benchmarks;

/// <summary>
/// How much of a start is the CPUID table: asking KVM for it, working it out, and each vCPU's copy? Needs /dev/kvm.
/// </summary>
[MemoryDiagnoser]
public class CpuidBenchmarks
{
    private KvmSystem _kvm = null!;
    private SupportedCpu _supported = null!;
    private CpuTopology _topology = null!;
    private CpuidTemplate _template = null!;

    /// <summary>Cores of the one socket.</summary>
    [Params(1, 8)]
    public int Vcpus { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _kvm = KvmSystem.Open();
        _supported = new SupportedCpu([.. _kvm.GetSupportedCpuid().Select(ToLeaf)])
        {
            TscDeadline = _kvm.CheckExtension(KvmCapability.KVM_CAP_TSC_DEADLINE_TIMER) != 0,
        };
        _topology = new CpuTopology(sockets: 1, cores: Vcpus);
        _template = (CpuidTemplate)Build();
    }

    [GlobalCleanup]
    public void Cleanup() => _kvm?.Dispose();

    [Benchmark]
    public int AskKvm() => _kvm.GetSupportedCpuid().Length;

    [Benchmark]
    public object Build() => CpuidBuilder.Build(_supported, CpuSelection.Host, _topology);

    [Benchmark]
    public int LeavesOfEveryVcpu()
    {
        int leaves = 0;
        for (int i = 0; i < Vcpus; i++)
            leaves += _template.ForVcpu(i).Length;
        return leaves;
    }

    private static CpuidLeaf ToLeaf(kvm_cpuid_entry2 entry) =>
        new(entry.function, entry.index, entry.eax, entry.ebx, entry.ecx, entry.edx,
            (entry.flags & KvmConstants.KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0);
}
