using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;

namespace MiniVmm.Measurement;

/// <summary>
/// The machine that the loops of <c>minivmm bench exits</c> run on: the devices of every machine and one that does
/// next to nothing, one vCPU, and a second one that only the interprocessor interrupt uses. All calls come from one
/// thread, which is the vCPU's.
/// </summary>
internal sealed unsafe class ExitRig : IDisposable
{
    private static readonly TimeSpan LongestRun = TimeSpan.FromSeconds(60);

    private readonly ExitGuest _guest;
    private readonly KvmSystem _kvm;
    private readonly MachineCore _core;
    private readonly EndPort _end = new();
    private readonly long* _entries;
    private readonly Dictionary<string, string> _missing = [];
    private readonly EventFd _idleDoorbell;
    private readonly EventFd _wokenDoorbell;
    private readonly EventFd _interrupt;
    private readonly CoalescedRing? _coalesced;
    private readonly kvm_sregs _reset;
    private kvm_sregs _secondReset;
    private KvmVcpu? _second;
    private Lifecycle? _running;
    private readonly Lock _interruption = new();
    private bool _interrupted;

    /// <summary>Builds the machine; the calling thread is the vCPU's from now on.</summary>
    /// <exception cref="KvmException">KVM refused what every machine needs.</exception>
    public ExitRig(KvmSystem kvm, ExitGuest guest)
    {
        _guest = guest;
        _kvm = kvm;
        try
        {
            _core = new MachineCore(kvm);
            GuestMemoryMap map = new(ExitGuest.RamSize);
            _core.MapRam(new(ExitGuest.RamSize, Prealloc: true), map);
            Ram.Load(new LoadSegment("exit loops", 0, guest.Image));
            _core.CreateInterruptControllers();
            DeviceSetup surroundings = new()
            {
                Memory = Ram,
                Map = map,
                Power = _end,
                Clock = TimeProvider.System,
                Console = NullSink.Instance,
                DebugConsole = NullSink.Instance,
            };
            // Their lines lead nowhere: a KVM without irqfd is measured, too, but for what needs one.
            _core.Own(new DeviceSet(
                _core.Ports, _core.Mmio, surroundings, _ => surroundings.Edge, _ => surroundings.Level,
                PcPlatform.Devices(new MachineOptions { Kernel = "" })));
            _core.Ports.Add(new Sink(), "benchmark", BenchPorts.First, BenchPorts.End - BenchPorts.First);
            _core.Ports.Add(_end, "benchmark's end", BenchPorts.End, 1);
            _core.Mmio.Add(new Sink(), "benchmark", BenchMmio.Base, BenchMmio.Length);

            Vcpu = _core.Own(_core.Vm.CreateVcpu(0));
            Vcpu.SetCpuid2(kvm.GetSupportedCpuid());
            EnableApic();
            _reset = Vcpu.GetSregs();
            Kick = new VcpuKick(Vcpu);
            Kick.Attach();
            _idleDoorbell = _core.Own(new EventFd());
            _wokenDoorbell = _core.Own(new EventFd(blocking: true));
            _interrupt = _core.Own(new EventFd());
            NativeBuffer shared = _core.Own(new NativeBuffer(4096));
            _entries = (long*)shared.Pin().Pointer;
            _coalesced = Wire();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private GuestMemory Ram => _core.Memory.Ram;

    public KvmVcpu Vcpu { get; }

    public VcpuKick Kick { get; }

    /// <summary>The vCPU's statistics, or null with <see cref="NoStatistics"/> saying why.</summary>
    public KvmStats? Statistics { get; private set; }

    public string? NoStatistics { get; private set; }

    /// <summary>Why this KVM cannot run a loop, or null if it can.</summary>
    public string? Missing(ExitLoop loop) => _missing.GetValueOrDefault(loop.Name);

    /// <summary>From any thread: ends the run that is on, and lets no other begin.</summary>
    public void Interrupt()
    {
        lock (_interruption)
        {
            _interrupted = true;
            _running?.Stop(new(StopKind.Interrupted));
        }

        Kick.Send();
    }

    /// <summary>Runs one loop once. Nothing is allocated between its first entry and its last exit.</summary>
    /// <param name="loop">The loop.</param>
    /// <param name="form">Plain or timed.</param>
    /// <param name="turns">How many turns.</param>
    /// <param name="times">Room for the readings of every exit and a few more.</param>
    /// <param name="partner">What runs beside it; started here, and disposed of before the counts.</param>
    /// <exception cref="MeasurementException">The guest did not come to its end.</exception>
    public RunResult Run(ExitLoop loop, LoopForm form, int turns, Span<ExitTimes> times, IPartner? partner)
    {
        using Lifecycle lifecycle = new();
        try
        {
            lock (_interruption)
            {
                if (_interrupted)
                    throw new OperationCanceledException();
                _running = lifecycle;
            }

            return Run(loop, form, turns, times, partner, lifecycle);
        }
        finally
        {
            lock (_interruption)
                _running = null;
        }
    }

    private RunResult Run(
        ExitLoop loop, LoopForm form, int turns, Span<ExitTimes> times, IPartner? partner, Lifecycle lifecycle)
    {
        _end.Power = lifecycle;
        *_entries = 0;
        Enter(Vcpu, loop.Name, loop.Ring, form, turns, _reset, MemoryLayout.BootStackTop);
        VcpuStatistics statistics = new();
        RunLoop run = new(0, Vcpu, _core.Ports, _core.Mmio, lifecycle, statistics, _coalesced);
        KernelCounts countsBefore = ReadCounts(loop);
        long allocated;
        int exits;
        using (Timer watch = new(_ => Expire(lifecycle), null, LongestRun, Timeout.InfiniteTimeSpan))
        using (partner)
        {
            fixed (ExitTimes* room = times)
            {
                LatencyProbe probe = new(room, times.Length, _entries);
                partner?.Start(lifecycle);
                long before = GC.GetAllocatedBytesForCurrentThread();
                run.Run(ref probe);
                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                exits = probe.Count;
            }
        }

        Check(loop, lifecycle.Reason, run.EntryError);
        return new(exits, ReadCounts(loop) - countsBefore, allocated, statistics.Total);
    }

    /// <summary>Calls KVM_RUN so that it returns before it enters the guest.</summary>
    /// <exception cref="MeasurementException">It did not return EINTR.</exception>
    public RunResult RunImmediateExits(Span<ExitTimes> times)
    {
        KernelCounts before = ReadCounts(ExitLoop.ImmediateExit);
        long allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        delegate* unmanaged[SuppressGCTransition]<long> tsc = Tsc.Read;
        Vcpu.Run->immediate_exit = 1;
        foreach (ref ExitTimes time in times)
        {
            time.In = tsc();
            int error = Vcpu.Enter();
            time.Out = time.Decoded = time.Served = tsc();
            if (error != Errno.EINTR)
            {
                Vcpu.Run->immediate_exit = 0;
                throw new MeasurementException(
                    $"KVM_RUN gave {(error == 0 ? "an exit" : Errno.Explain(error))} instead of EINTR");
            }
        }

        Vcpu.Run->immediate_exit = 0;
        long allocated = GC.GetAllocatedBytesForCurrentThread() - allocatedBefore;
        return new(times.Length, ReadCounts(ExitLoop.ImmediateExit) - before, allocated, times.Length);
    }

    /// <summary>The samples that a timed loop left, in ticks.</summary>
    public ReadOnlySpan<uint> Samples(int turns)
    {
        Ram.TryGetSpan(ExitGuest.SamplesAddress, turns * sizeof(uint), out Span<byte> bytes);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(bytes);
    }

    /// <summary>What a loop needs beside it; null if nothing.</summary>
    /// <param name="loop">The loop.</param>
    /// <param name="turns">How often the partner acts.</param>
    /// <param name="stamps">Where it notes when.</param>
    /// <param name="delay">Ticks from the vCPU's entry to the act.</param>
    /// <param name="cpu">Host CPU for its thread, or null.</param>
    public IPartner? Partner(ExitLoop loop, int turns, Memory<long> stamps, long delay, int? cpu) => loop.Partner switch
    {
        LoopPartner.Reader => new DoorbellReader(_wokenDoorbell, cpu),
        LoopPartner.Interrupter => new Prodder(_entries, turns, stamps, delay, cpu, _interrupt.Signal, beat: null),
        LoopPartner.Kicker => new Prodder(_entries, turns, stamps, delay, cpu, Kick.SendSignal, ReadFlag),
        LoopPartner.Processor => SecondProcessor(cpu),
        _ => null,
    };

    public void Dispose() => _core?.Dispose(); // not there where the host could not even make a VM

    private SecondProcessor SecondProcessor(int? cpu)
    {
        if (_second is null)
        {
            _second = _core.Own(_core.Vm.CreateVcpu(1));
            _second.SetCpuid2(_kvm.GetSupportedCpuid());
            _secondReset = _second.GetSregs();
        }

        Enter(_second, "ipi-receiver", ring: 0, LoopForm.Plain, 0, _secondReset, ExitGuest.SecondStackTop);
        Ram.TryWrite(ExitGuest.FlagAddress, 0u);
        return new SecondProcessor(
            _second, _core, () => ReadFlag() != 0, cpu);
    }

    private uint ReadFlag() => Ram.TryRead(ExitGuest.FlagAddress, out uint flag) ? flag : 0;

    private void Enter(
        KvmVcpu vcpu, string name, int ring, LoopForm form, int turns, in kvm_sregs reset, ulong stack)
    {
        // An exit to user space is complete only at the next entry (api.rst, 5: KVM_EXIT_IO): one that ends at once.
        vcpu.Run->immediate_exit = 1;
        _ = vcpu.Enter();
        vcpu.Run->immediate_exit = 0;
        vcpu.SetMpState(KvmConstants.KVM_MP_STATE_RUNNABLE); // a run that was ended early may have left it halted

        ulong entry = _guest.Entry(name, form) ?? throw new InvalidOperationException($"{name} has no {form} form");
        Boot.EntryState state = ExitGuest.State(entry);
        kvm_sregs sregs = EntryRegisters.Special(state, reset);
        sregs.apic_base = vcpu.GetSregs().apic_base; // from x2APIC mode there is no direct way back
        sregs.idt = new kvm_dtable { @base = ExitGuest.IdtAddress, limit = ExitGuest.IdtLimit };
        kvm_regs regs = EntryRegisters.General(state);
        regs.rsp = stack;
        regs.rdi = (ulong)turns;
        regs.rsi = ExitGuest.SamplesAddress;
        if (ring == 3)
        {
            LowerToRing3(ref sregs);
            regs.rflags |= 3 << 12; // IOPL, for the OUT at the end
        }

        vcpu.SetSregs(sregs);
        vcpu.SetRegs(regs);
    }

    /// <summary>
    /// As the loop that is interrupted does itself; but its first interrupt may come before, and would be lost (SDM
    /// vol. 3, 11.4.7.2).
    /// </summary>
    private void EnableApic()
    {
        const int enable = 0xf0 + 1; // bit 8 of the spurious-interrupt vector register
        kvm_lapic_state apic = Vcpu.GetLapic();
        apic.regs[enable] |= 1;
        Vcpu.SetLapic(apic);
    }

    private static void LowerToRing3(ref kvm_sregs sregs)
    {
        Lower(ref sregs.cs);
        Lower(ref sregs.ss);
        Lower(ref sregs.ds);
        Lower(ref sregs.es);

        static void Lower(ref kvm_segment segment)
        {
            segment.dpl = 3;
            segment.selector |= 3;
        }
    }

    private KernelCounts ReadCounts(ExitLoop loop) =>
        new(
            ReadCounter(KernelCounter.Returns),
            loop.Counter is { } counter ? ReadCounter(counter.Name) : null,
            ReadCounter("halt_successful_poll"),
            ReadCounter("halt_wakeup"));

    private long? ReadCounter(string name) =>
        Statistics is { } statistics && statistics.TryRead(name, out ulong value) ? (long)value : null;

    private void Check(ExitLoop loop, StopReason reason, int entryError)
    {
        switch (reason.Kind)
        {
            case StopKind.PowerOff:
                return;
            case StopKind.Interrupted:
                throw new OperationCanceledException();
            case StopKind.Timeout:
                throw new MeasurementException($"the guest did not end within {LongestRun.TotalSeconds} s");
            default:
                string why = entryError != 0
                    ? $"KVM_RUN failed: {Errno.Explain(entryError)}"
                    : $"{Vcpu.Run->exit_reason} at rip 0x{Vcpu.GetRegs().rip:x}";
                throw new MeasurementException($"this KVM did not run the loop: {why}");
        }
    }

    private void Expire(Lifecycle lifecycle)
    {
        lifecycle.Stop(new(StopKind.Timeout));
        Kick.Send();
    }

    /// <summary>Doorbells, queue and interrupt; what this KVM does not have is noted, and the rest goes on.</summary>
    private CoalescedRing? Wire()
    {
        try
        {
            Statistics = _core.Own(Vcpu.OpenStats());
        }
        catch (KvmException e)
        {
            NoStatistics = e.Message;
        }

        Try("ioeventfd-pio", () => _core.Vm.AssignIoEventFd(BenchPorts.Doorbell, 1, _idleDoorbell.Fd, pio: true));
        Try("ioeventfd-pio-woken", () => _core.Vm.AssignIoEventFd(BenchPorts.WokenDoorbell, 1, _wokenDoorbell.Fd, pio: true));
        Try(
            "ioeventfd-mmio",
            () => _core.Vm.AssignIoEventFd(BenchMmio.Base + BenchMmio.Doorbell, 4, _idleDoorbell.Fd, pio: false));
        Try(
            "ioeventfd-mmio-woken",
            () => _core.Vm.AssignIoEventFd(BenchMmio.Base + BenchMmio.WokenDoorbell, 4, _wokenDoorbell.Fd, pio: false));

        // To APIC id 0, physical, fixed (SDM vol. 3, 11.11).
        Try("hlt-irqfd", () => _core.Vm.AssignIrqFd(
            _interrupt.Fd, _core.Interrupts.AddMessage(MemoryLayout.LocalApic, ExitGuest.InterruptVector)));

        int page = _kvm.CheckExtension(KvmCapability.KVM_CAP_COALESCED_MMIO);
        if (page == 0)
        {
            _missing["coalesced-mmio"] = _missing["coalesced-pio"] = "this KVM has no KVM_CAP_COALESCED_MMIO";
            return null;
        }

        if (_kvm.CheckExtension(KvmCapability.KVM_CAP_COALESCED_PIO) == 0)
            _missing["coalesced-pio"] = "this KVM has no KVM_CAP_COALESCED_PIO (Linux 4.20)";
        else
            Try("coalesced-pio", () => _core.Vm.RegisterCoalesced(BenchPorts.Coalesced, 1, pio: true));
        Try(
            "coalesced-mmio",
            () => _core.Vm.RegisterCoalesced(
                BenchMmio.Base + BenchMmio.Coalesced, BenchMmio.CoalescedLength, pio: false));
        return CoalescedRing.Of(Vcpu, page);
    }

    private void Try(string loop, Action wire)
    {
        try
        {
            wire();
        }
        catch (KvmException e)
        {
            _missing[loop] = e.Message;
        }
    }

    /// <summary>The device of the loops: keeps the last byte it was given.</summary>
    private sealed class Sink : IBusDevice
    {
        private byte _last;

        public void Read(ulong offset, Span<byte> data) => data.Fill(_last);

        public void Write(ulong offset, ReadOnlySpan<byte> data) => _last = data[0];
    }

    /// <summary>Ends the run that is on.</summary>
    private sealed class EndPort : IBusDevice, IPowerControl
    {
        public Lifecycle? Power { get; set; }

        public void Read(ulong offset, Span<byte> data) => data.Fill(0xff);

        public void Write(ulong offset, ReadOnlySpan<byte> data) => PowerOff();

        public void PowerOff() => Power?.PowerOff();

        public void Reset() => Power?.Reset();

        public void DebugExit(uint value) => Power?.DebugExit(value);
    }
}

/// <summary>What one run of a loop left.</summary>
/// <param name="Exits">Exits timed, the one that ended the loop included.</param>
/// <param name="Kernel">How far the kernel's counters moved.</param>
/// <param name="AllocatedBytes">On the managed heap between first entry and last exit.</param>
/// <param name="Returns">Returns from KVM_RUN, as the run loop counted them.</param>
internal sealed record RunResult(int Exits, KernelCounts Kernel, long AllocatedBytes, long Returns);

/// <summary>Some of the kernel's counters; null where it does not keep or tell them.</summary>
/// <param name="Returns">Returns from KVM_RUN.</param>
/// <param name="Own">The counter of the loop's own kind.</param>
/// <param name="Polled">Halts that ended while KVM still polled for work.</param>
/// <param name="Slept">Halts that ended with the thread's being woken.</param>
internal readonly record struct KernelCounts(long? Returns, long? Own, long? Polled, long? Slept)
{
    public static KernelCounts operator -(KernelCounts later, KernelCounts earlier) => new(
        later.Returns - earlier.Returns,
        later.Own - earlier.Own,
        later.Polled - earlier.Polled,
        later.Slept - earlier.Slept);

    public static KernelCounts operator +(KernelCounts one, KernelCounts other) =>
        new(one.Returns + other.Returns, one.Own + other.Own, one.Polled + other.Polled, one.Slept + other.Slept);
}
