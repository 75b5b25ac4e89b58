using BenchmarkDotNet.Attributes;
using MiniVmm.Memory;

namespace MiniVmm.Benchmarks;

/// <summary>The check that every guest-made address goes through.</summary>
[MemoryDiagnoser]
public class GuestMemoryBenchmarks : IDisposable
{
    private readonly RamBacking _backing;
    private readonly GuestMemory _memory;

    public GuestMemoryBenchmarks()
    {
        GuestMemoryMap map = new(5 * MemoryLayout.GiB);
        _backing = RamBacking.Allocate(new MemoryOptions(map.Size), map.Size);
        _memory = _backing.Slots(map);
    }

    [Params(0x10_0000UL, 0x1_4000_0000UL)]
    public ulong Address { get; set; }

    [Benchmark]
    public ulong TryRead() => _memory.TryRead(Address, out ulong value) ? value : 0;

    [GlobalCleanup]
    public void Dispose()
    {
        _backing.Dispose();
        GC.SuppressFinalize(this);
    }
}
