using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Benchmarks;

/// <summary>
/// What does an exit cost in this process, without KVM: making sense of a kvm_run page, and serving it?
/// </summary>
[MemoryDiagnoser]
public unsafe class ExitBenchmarks
{
    private const int PageSize = 4096;
    private const int Length = 2 * PageSize;
    private const int Devices = 10;
    private Bus _ports = null!;
    private kvm_run* _portExit;
    private kvm_run* _memoryExit;

    [GlobalSetup]
    public void Setup()
    {
        _ports = new Bus("port", 0xffff);
        for (int i = 0; i < Devices; i++)
            _ports.Add(new Sink(), $"device {i}", 0x100 + (ulong)i * 0x10, 8);

        _portExit = (kvm_run*)NativeMemory.AllocZeroed(Length);
        _portExit->exit_reason = KvmExitReason.KVM_EXIT_IO;
        _portExit->io.direction = KvmConstants.KVM_EXIT_IO_OUT;
        _portExit->io.size = 1;
        _portExit->io.count = 1;
        _portExit->io.port = 0x100 + Devices / 2 * 0x10 + 5;
        _portExit->io.data_offset = PageSize;

        _memoryExit = (kvm_run*)NativeMemory.AllocZeroed(Length);
        _memoryExit->exit_reason = KvmExitReason.KVM_EXIT_MMIO;
        _memoryExit->mmio.phys_addr = 0xd000_0050;
        _memoryExit->mmio.len = 4;
        _memoryExit->mmio.is_write = 1;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        NativeMemory.Free(_portExit);
        NativeMemory.Free(_memoryExit);
    }

    [Benchmark]
    public ulong DecodePortWrite()
    {
        ExitDecoder.Decode(_portExit, Length, out VmExit exit);
        return exit.Address;
    }

    [Benchmark]
    public ulong DecodeMemoryWrite()
    {
        ExitDecoder.Decode(_memoryExit, Length, out VmExit exit);
        return exit.Address;
    }

    /// <summary>Decoded, and taken by one of ten devices.</summary>
    [Benchmark]
    public bool DecodeAndServePortWrite()
    {
        ExitDecoder.Decode(_portExit, Length, out VmExit exit);
        return _ports.Write(exit.Address, new ReadOnlySpan<byte>(exit.Data, exit.Size));
    }
}
