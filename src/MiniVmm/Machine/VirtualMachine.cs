using MiniVmm.Control;
using MiniVmm.Cpu;
using MiniVmm.Devices;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Firmware;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;
using MiniVmm.Terminal;

namespace MiniVmm.Machine;

/// <summary>
/// A virtual machine, from a plan to its end. Built whole or not at all: whatever the host lacks is thrown
/// before the first instruction of the guest.
/// </summary>
public sealed class VirtualMachine : IDisposable
{
    private const uint MtrrDefaultType = 0x2ff;
    private const ulong MtrrEnabledWriteBack = 0xc06; // fixed and variable ranges on, default write-back
    private readonly Stack<IDisposable> _owned = new();
    private readonly StartGate _gate;
    private readonly List<VcpuThread> _vcpus = [];
    private readonly GuestMemory _memory;
    private readonly Milestones _milestones;
    private readonly string _kernel;
    private readonly Lifecycle _lifecycle;
    private readonly HostConsole _console;
    private readonly Serial16550 _serial;
    private readonly VirtioDevices? _devices;
    private readonly ControlServer? _control;

    private VirtualMachine(KvmSystem kvm, MachinePlan plan, Milestones milestones, Action<string> warn)
    {
        _milestones = milestones;
        _owned.Push(kvm);
        MachineOptions options = plan.Options;
        _kernel = options.Kernel;
        try
        {
            HostChecks.Run(kvm, plan, warn);
            _lifecycle = Own(new Lifecycle());
            _gate = Own(new StartGate(options.Topology.Count + 1)); // the vCPUs, and whoever gives them their input
            KvmVm vm = Own(kvm.CreateVm());
            vm.SetTssAddress(MemoryLayout.Tss);
            vm.SetIdentityMapAddress(MemoryLayout.IdentityMap);
            if (options.Topology.MaxApicId >= FirmwareCpus.FirstX2ApicId)
            {
                vm.EnableCapability(
                    KvmCapability.KVM_CAP_X2APIC_API,
                    KvmConstants.KVM_X2APIC_API_USE_32BIT_IDS | KvmConstants.KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
            }

            CpuidTemplate cpuid = BuildCpuid(kvm, vm, plan, warn);

            // Memory before interrupt controllers: a slot waits for an SRCU grace period, which takes 0.3 ms on a new
            // VM, and 5 ms once the controllers have registered themselves.
            Backing = Own(RamBacking.Allocate(options.Memory, plan.Memory.Size));
            _memory = Backing.Slots(plan.Memory);
            MemorySlots.Set(vm, _memory);
            milestones.Reach("RAM mapped");

            vm.CreateIrqChip();
            vm.SetGsiRouting(GsiRoutes.Pc());

            // With KVM's own port 0x61: the timer's gate and output, by which kernels calibrate their clocks.
            vm.CreatePit2(KvmConstants.KVM_PIT_SPEAKER_DUMMY);
            BiosInterrupts.SetUp(vm);
            milestones.Reach("VM created");

            LoadAll(plan, cpuid);
            milestones.Reach("kernel and tables in place");

            // The interrupt outlives the console, whose input raises it.
            IrqFdTrigger serialInterrupt = Own(new IrqFdTrigger(vm, IoPorts.SerialIrq));
            _console = Own(new HostConsole(options.Consoles, _lifecycle));
            Platform platform = new(
                plan.Memory, _console.SerialSink, _console.DebugSink, serialInterrupt, _lifecycle, TimeProvider.System);
            _serial = platform.Serial;
            if (plan.Virtio.Count > 0)
            {
                VirtioBay bay = new(vm, _memory, platform.Memory, warn);
                _devices = Own(new VirtioDevices(plan, bay, _memory, Backing, _console.Sink, warn));
            }

            for (int i = 0; i < options.Topology.Count; i++)
            {
                KvmVcpu vcpu = vm.CreateVcpu((int)options.Topology.ApicId(i));
                int? pin = options.Pin.Count > 0 ? options.Pin[i] : null;
                VcpuThread thread = Own(
                    new VcpuThread(i, vcpu, platform.Ports, platform.Memory, _memory, _lifecycle, _gate, pin, options.Timed));
                Prepare(vcpu, cpuid, i, plan);
                _vcpus.Add(thread);
            }

            milestones.Reach("vCPUs created");

            // Last, so that whoever asks finds a whole machine.
            if (options.Name is { } name)
                _control = Own(ControlServer.Listen(name, new ControlledMachine(this, options, _devices)));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The host memory behind guest RAM.</summary>
    public RamBacking Backing { get; }

    /// <summary>The vCPUs and what they counted.</summary>
    public IReadOnlyList<VcpuThread> Vcpus => _vcpus;

    /// <summary>Builds the machine; the plan can be disposed of afterwards.</summary>
    /// <param name="plan">What to build.</param>
    /// <param name="milestones">Notes the steps of the start.</param>
    /// <param name="warn">Takes one line for each thing that is not as asked, or hurts.</param>
    /// <exception cref="VmmException">The host cannot, or an option does not fit it.</exception>
    /// <exception cref="KvmException">KVM refused something.</exception>
    public static VirtualMachine Create(MachinePlan plan, Milestones milestones, Action<string> warn)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return new VirtualMachine(KvmSystem.Open(), plan, milestones, warn);
    }

    /// <summary>Ends the machine from outside, from any thread, before or while it runs.</summary>
    public void Stop(StopReason reason) => _lifecycle.Stop(reason);

    /// <summary>Starts the vCPUs' threads, once; they get ready while the caller does, and wait.</summary>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    public void Start()
    {
        _devices?.Start();
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Start();
    }

    /// <summary>
    /// Gives the guest its input, lets it run, and waits for its end: then its text is out, and the terminal is as it was.
    /// The caller watches for the signals that would leave the terminal raw.
    /// </summary>
    /// <param name="timeout">Longest run, or null for none.</param>
    /// <exception cref="HostLimitException">A vCPU's thread cannot be pinned; none has run.</exception>
    public StopReason WaitForEnd(TimeSpan? timeout)
    {
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.WaitUntilReady();
        if (_devices?.Console is { } console)
        {
            _console.FollowSize(console.Resize);
            _console.AttachInput(console);
        }
        else
        {
            _console.AttachInput(_serial);
        }

        _milestones.Reach("vCPU threads ready");
        _gate.Arrive();

        // While the guest begins: half of what this process has in memory was for its start.
        ProgramImage.ReleaseTouched();
        _lifecycle.Wait(timeout);
        JoinAll();
        _control?.Dispose(); // nobody asks for figures of devices that are going
        _console.DetachInput(); // of keys that a device would get
        _devices?.Dispose(); // which may still have something to print
        _console.Dispose();

        long[] first = [.. _vcpus.Select(vcpu => vcpu.Statistics.FirstExit).Where(at => at != 0)];
        if (first.Length > 0)
            _milestones.Reach("first exit of a vCPU", first.Min());
        _milestones.Reach($"end: {_lifecycle.Reason.Kind}");
        return _lifecycle.Reason;
    }

    /// <summary>
    /// What there is to say of the end, for people: lines without a prefix; null where the reason says it all. Only after
    /// <see cref="WaitForEnd"/>.
    /// </summary>
    public string? ExplainEnd() => _lifecycle.Reason switch
    {
        { Kind: StopKind.Crash, Value: uint vcpu } =>
            CrashReport.Write(_vcpus[(int)vcpu], _memory) + EndReport.OfScreen(_memory, _console.Recent()),
        { Kind: StopKind.Timeout or StopKind.Interrupted } =>
            EndReport.OfVcpus(_vcpus, _memory, _kernel) + EndReport.OfScreen(_memory, _console.Recent()),
        { Kind: StopKind.RamUnavailable, Value: uint vcpu } =>
            Backing.ExplainMissingPage((int)vcpu, _vcpus[(int)vcpu].UnavailableAddress) + "\n",
        { Kind: StopKind.OutputClosed, Status: ExitStatus.HostLimit, Value: uint error } =>
            $"{_console.ClosedOption}: cannot be written any more: {ProcessLimit.Explain((int)error)}\n",
        _ => null,
    };

    /// <summary>
    /// Ends the vCPUs' threads if any still run, and closes everything in the opposite order; the terminal and files
    /// are as before.
    /// </summary>
    public void Dispose()
    {
        if (_vcpus.Count > 0)
        {
            _lifecycle.Stop(new(StopKind.Interrupted));
            _gate.Open(); // those that wait there for one that failed leave before they enter
            JoinAll();
            _vcpus.Clear();
        }

        while (_owned.TryPop(out IDisposable? owned))
            owned.Dispose();
    }

    private static CpuidTemplate BuildCpuid(KvmSystem kvm, KvmVm vm, MachinePlan plan, Action<string> warn)
    {
        MachineOptions options = plan.Options;
        CpuidLeaf[] supported = CpuidEntries.Supported(kvm);
        bool tscDeadline = vm.CheckExtension(KvmCapability.KVM_CAP_TSC_DEADLINE_TIMER) != 0;
        CpuidTemplate template = CpuidBuilder.Build(supported, options.Cpu, options.Topology, tscDeadline);
        PhysicalAddresses.Check(plan.Memory, options.Cpu.Model.Name, template.ForVcpu(0), supported);
        foreach (string warning in template.Warnings)
            warn(warning);
        return template;
    }

    private void LoadAll(MachinePlan plan, CpuidTemplate cpuid)
    {
        CpuidLeaf leaf1 = cpuid.ForVcpu(0).First(leaf => leaf.Function == 1);
        foreach (LoadSegment segment in plan.Boot.Segments)
            Load(segment);
        if (plan.Boot.Firmware.Mp is not { } mp)
            return;
        foreach (LoadSegment segment in MpTable.Build(mp, plan.Cpus, leaf1.Eax, leaf1.Edx))
            Load(segment);
    }

    private unsafe void Load(in LoadSegment segment)
    {
        if (_memory.TryResolve(segment.Address, (ulong)segment.Data.Length, out byte* host))
            Backing.Provide((nint)host, (ulong)segment.Data.Length);
        _memory.Load(segment);
    }

    private static void Prepare(KvmVcpu vcpu, CpuidTemplate cpuid, int index, MachinePlan plan)
    {
        vcpu.SetCpuid2([.. cpuid.ForVcpu(index).Select(CpuidEntries.FromLeaf)]);

        // As firmware leaves it: without this Linux finds the MTRRs off and does not trust PAT either.
        vcpu.SetMsrs([new kvm_msr_entry { index = MtrrDefaultType, data = MtrrEnabledWriteBack }]);

        // The others wait for INIT and SIPI, which KVM's own APIC delivers.
        if (index != 0)
            return;
        vcpu.SetSregs(EntryRegisters.Special(plan.Boot.Entry, vcpu.GetSregs()));
        vcpu.SetRegs(EntryRegisters.General(plan.Boot.Entry));
    }

    private void JoinAll()
    {
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Kick();
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Join();
    }

    private T Own<T>(T resource)
        where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }
}
