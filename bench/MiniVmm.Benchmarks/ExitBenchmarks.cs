using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Benchmarks;

/// <summary>User space's share of an exit, without KVM: decoding a page, and finding the device among many.</summary>
[MemoryDiagnoser]
public unsafe class ExitBenchmarks
{
    private const int PageSize = 4096;
    private readonly Bus _ports = new("port", 0xffff);
    private kvm_run* _run;
    private ushort _port;

    /// <summary>Devices on the port bus, eight ports each.</summary>
    [Params(1, 10, 50)]
    public int Devices { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        for (int i = 0; i < Devices; i++)
            _ports.Add(new Sink(), $"device {i}", 0x100 + (ulong)i * 0x10, 8);
        _port = (ushort)(0x100 + Devices / 2 * 0x10 + 5);
        _run = (kvm_run*)NativeMemory.AllocZeroed(2 * PageSize);
        _run->exit_reason = KvmExitReason.KVM_EXIT_IO;
        _run->io.direction = KvmConstants.KVM_EXIT_IO_OUT;
        _run->io.size = 1;
        _run->io.count = 1;
        _run->io.port = _port;
        _run->io.data_offset = PageSize;
    }

    [GlobalCleanup]
    public void Cleanup() => NativeMemory.Free(_run);

    [Benchmark]
    public ulong DecodeExit()
    {
        ExitDecoder.Decode(_run, 2 * PageSize, out VmExit exit);
        return exit.Address;
    }

    [Benchmark]
    public bool BusWrite()
    {
        byte value = 1;
        return _ports.Write(_port, new ReadOnlySpan<byte>(ref value));
    }

    [Benchmark]
    public bool DecodeAndServeExit()
    {
        ExitDecoder.Decode(_run, 2 * PageSize, out VmExit exit);
        return _ports.Write(exit.Address, new ReadOnlySpan<byte>(exit.Data, exit.Size));
    }

    private sealed class Sink : ByteDevice
    {
        private byte _last;

        protected override byte ReadByte(uint offset) => _last;

        protected override void WriteByte(uint offset, byte value) => _last = value;
    }
}
