using BenchmarkDotNet.Attributes;
using MiniVmm.Memory;

namespace MiniVmm.Benchmarks;

/// <summary>What does the check cost that every guest-made address goes through?</summary>
[MemoryDiagnoser]
public unsafe class GuestMemoryBenchmarks
{
    private const int PageSize = 4096;
    private const int Accesses = 512; // a single one is too short to measure
    private readonly ulong[] _addresses = new ulong[Accesses];
    private RamBacking _backing = null!;
    private GuestMemory _memory = null!;

    public enum Place
    {
        FirstSlot,
        SecondSlot,
        Hole,
    }

    [Params(Place.FirstSlot, Place.SecondSlot, Place.Hole)]
    public Place Where { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        GuestMemoryMap map = new(5 * MemoryLayout.GiB);
        _backing = RamBacking.Allocate(new MemoryOptions(map.Size), map.Size);
        _memory = _backing.Slots(map);
        ulong start = Where switch
        {
            Place.FirstSlot => MemoryLayout.HighMemory,
            Place.SecondSlot => MemoryLayout.HighRam,
            _ => MemoryLayout.VirtioMmio,
        };
        for (int i = 0; i < Accesses; i++)
            _addresses[i] = start + (ulong)i * sizeof(ulong);
    }

    [GlobalCleanup]
    public void Cleanup() => _backing.Dispose();

    [Benchmark(OperationsPerInvoke = Accesses)]
    public nuint TryResolve()
    {
        nuint sum = 0;
        foreach (ulong address in _addresses)
        {
            _memory.TryResolve(address, PageSize, out byte* host);
            sum += (nuint)host;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public int TryGetSpan()
    {
        int sum = 0;
        foreach (ulong address in _addresses)
        {
            _memory.TryGetSpan(address, PageSize, out Span<byte> span);
            sum += span.Length;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public ulong TryRead()
    {
        ulong sum = 0;
        foreach (ulong address in _addresses)
        {
            _memory.TryRead(address, out ulong value);
            sum += value;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public int TryWrite()
    {
        int written = 0;
        foreach (ulong address in _addresses)
            written += _memory.TryWrite(address, 1UL) ? 1 : 0;
        return written;
    }
}
