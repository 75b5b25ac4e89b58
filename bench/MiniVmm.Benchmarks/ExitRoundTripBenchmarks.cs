using BenchmarkDotNet.Attributes;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;

namespace MiniVmm.Benchmarks;

/// <summary>
/// Of a real exit, from the guest and back into it, how much is KVM's and how much is ours? The guest writes to a
/// port for ever; an operation is one such write. Needs /dev/kvm.
/// </summary>
[MemoryDiagnoser]
public unsafe class ExitRoundTripBenchmarks
{
    private const ulong Code = 0x1000;
    private const byte Port = 0x80;
    private KvmSystem _kvm = null!;
    private MachineCore _core = null!;
    private KvmVcpu _vcpu = null!;

    /// <summary>In the order of a real machine: with its interrupt controllers, which take part in every entry.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _kvm = KvmSystem.Open();
        _core = new MachineCore(_kvm);
        _core.MapRam(new MemoryOptions(GuestMemoryMap.MinimumSize), new GuestMemoryMap(GuestMemoryMap.MinimumSize));

        // again: out Port, al; jmp again
        _core.Memory.Ram.Load(new LoadSegment("guest", Code, new byte[] { 0xe6, Port, 0xeb, 0xfc }));
        _core.CreateInterruptControllers();

        _vcpu = _core.Own(_core.Vm.CreateVcpu(0));
        kvm_sregs sregs = _vcpu.GetSregs();
        sregs.cs.@base = 0;
        sregs.cs.selector = 0;
        _vcpu.SetSregs(sregs);
        _vcpu.SetRegs(new kvm_regs { rip = Code, rflags = 1 << 1 });

        _core.Ports.Add(new Sink(), "sink", Port, 1);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _core.Dispose();
        _kvm.Dispose();
    }

    /// <summary>The whole of it, as the run loop does it.</summary>
    [Benchmark(Baseline = true)]
    public bool EnterDecodeAndServe()
    {
        Enter();
        ExitDecoder.Decode(_vcpu.Run, _vcpu.RunSize, out VmExit exit);
        return exit.Kind == ExitKind.PortWrite
            && _core.Ports.Write(exit.Address, new ReadOnlySpan<byte>(exit.Data, exit.Size))
                ? true
                : throw new InvalidOperationException($"the guest came out for {_vcpu.Run->exit_reason}");
    }

    /// <summary>KVM's part of it: nobody looks at the exit.</summary>
    [Benchmark]
    public void EnterOnly() => Enter();

    /// <summary>KVM_RUN that turns round before the guest: the floor of any exit.</summary>
    [Benchmark]
    public int EnterWithImmediateExit()
    {
        _vcpu.Run->immediate_exit = 1;
        int error = _vcpu.Enter();
        _vcpu.Run->immediate_exit = 0;
        return error == Errno.EINTR ? error : throw Failed(error);
    }

    private void Enter()
    {
        int error;
        do
            error = _vcpu.Enter();
        while (error == Errno.EINTR); // the runtime's own signals
        if (error != 0)
            throw Failed(error);
    }

    private static KvmException Failed(int error) => new("KVM_RUN", error);
}
