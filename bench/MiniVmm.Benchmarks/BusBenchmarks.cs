using BenchmarkDotNet.Attributes;
using MiniVmm.Devices;

namespace MiniVmm.Benchmarks;

/// <summary>How does the time to find a device grow with their number, and what does a miss cost?</summary>
[MemoryDiagnoser]
public class BusBenchmarks
{
    private readonly byte[] _data = [1];
    private Bus _ports = null!;
    private ulong _claimed;

    /// <summary>Devices on the port bus, eight ports each.</summary>
    [Params(1, 10, 50)]
    public int Devices { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _ports = new Bus("port", 0xffff);
        for (int i = 0; i < Devices; i++)
            _ports.Add(new Sink(), $"device {i}", 0x100 + (ulong)i * 0x10, 8);
        _claimed = 0x100 + (ulong)Devices / 2 * 0x10 + 5;
    }

    [Benchmark]
    public bool Write() => _ports.Write(_claimed, _data);

    [Benchmark]
    public bool Read() => _ports.Read(_claimed, _data);

    /// <summary>A port between two windows.</summary>
    [Benchmark]
    public bool ReadUnclaimed() => _ports.Read(_claimed + 5, _data);
}
