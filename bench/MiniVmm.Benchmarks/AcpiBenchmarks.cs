using BenchmarkDotNet.Attributes;
using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Benchmarks;

/// <summary>How much of a start are the firmware tables, for few processors and for many?</summary>
[MemoryDiagnoser]
public class AcpiBenchmarks
{
    private FirmwareCpus _cpus = null!;

    [Params(1, 8, 255)]
    public int Vcpus { get; set; }

    [GlobalSetup]
    public void Setup() =>
        _cpus = new FirmwareCpus(Enumerable.Range(0, Vcpus).Select(i => new FirmwareCpu((uint)i, Present: true)));

    [Benchmark]
    public LoadSegment Build() => AcpiTables.Build(_cpus, []);
}
