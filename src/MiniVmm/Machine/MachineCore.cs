using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Gdb;
using MiniVmm.Kvm;
using MiniVmm.Memory;
using MiniVmm.Tracing;

namespace MiniVmm.Machine;

/// <summary>
/// What every machine has before it has a device: KVM's VM, guest RAM, the two buses, interrupt lines, vCPUs, and one end.
/// Parts are added in this order: RAM, interrupt controllers where it has them, devices, vCPUs.
/// </summary>
public sealed class MachineCore : IDisposable
{
    private const ulong SharedRegisters = KvmConstants.KVM_SYNC_X86_REGS | KvmConstants.KVM_SYNC_X86_SREGS;

    private readonly Stack<IDisposable> _owned = new();
    private InterruptRouter? _interrupts;

    /// <summary>Creates a VM with nothing in it.</summary>
    /// <param name="kvm">Stays the caller's, and open.</param>
    /// <exception cref="KvmException">KVM refused.</exception>
    public MachineCore(KvmSystem kvm)
    {
        ArgumentNullException.ThrowIfNull(kvm);
        Lifecycle = Own(new Lifecycle());
        Vcpus = new VcpuSet();
        try
        {
            Vm = Own(kvm.CreateVm());
            Vm.SetTssAddress(MemoryLayout.Tss);
            Vm.SetIdentityMapAddress(MemoryLayout.IdentityMap);
            Memory = new AddressSpace(Vm);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The end of the machine, and who is told.</summary>
    public Lifecycle Lifecycle { get; }

    public KvmVm Vm { get; }

    /// <summary>Where RAM is.</summary>
    public AddressSpace Memory { get; }

    /// <summary>Devices on I/O ports.</summary>
    public Bus Ports { get; } = new("port", 0xffff);

    /// <summary>Devices in memory.</summary>
    public Bus Mmio { get; } = new("memory", ulong.MaxValue);

    /// <summary>Where interrupt lines go.</summary>
    /// <exception cref="InvalidOperationException">The machine has no interrupt controllers.</exception>
    public InterruptRouter Interrupts =>
        _interrupts ?? throw new InvalidOperationException("this machine has no interrupt controllers");

    /// <summary>The vCPUs that the machine itself runs.</summary>
    public VcpuSet Vcpus { get; }

    /// <summary>The debugger that vCPUs stop for; null without one. Before the first vCPU.</summary>
    internal MachineDebugger? Debugger { get; set; }

    /// <summary>Where its parts see whether they are traced.</summary>
    internal TraceSwitch Tracing { get; } = new();

    /// <summary>Allocates guest RAM and maps it; the machine frees it.</summary>
    /// <exception cref="HostLimitException">The host cannot give that much.</exception>
    public RamBacking MapRam(MemoryOptions options, GuestMemoryMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        RamBacking backing = Own(RamBacking.Allocate(options, map.Size));
        foreach (RamSlot ram in backing.Slots(map).Slots)
            Memory.Map(ram);
        return backing;
    }

    /// <summary>Allocates anonymous guest RAM from address 0 and maps it; the machine frees it.</summary>
    /// <param name="size">Bytes, whole pages, at least <see cref="GuestMemoryMap.MinimumSize"/>.</param>
    /// <exception cref="BadInputException">It is no such size.</exception>
    /// <exception cref="HostLimitException">The host cannot give that much.</exception>
    public RamBacking MapRam(ulong size) => MapRam(new MemoryOptions(size), new GuestMemoryMap(size));

    /// <summary>Reserves what RAM that comes later needs on the host, and nothing more; the machine frees it.</summary>
    /// <param name="options">What RAM is made of.</param>
    /// <param name="region">Where it will be.</param>
    /// <param name="warn">Takes a line where the host refuses a block.</param>
    /// <exception cref="HostLimitException">The host has no such addresses.</exception>
    internal PluggableRam ReserveRam(MemoryOptions options, PluggableRegion region, Action<OptionMessage> warn)
    {
        Memory.Pluggable = region;
        return new PluggableRam(Memory, region, Own(RamBacking.Reserve(options, region.Range.Length)), warn);
    }

    /// <summary>Lets APIC ids have 32 bits, in routes and in messages; before the first vCPU.</summary>
    /// <exception cref="KvmException">This KVM cannot.</exception>
    public void EnableX2Apic() => Vm.EnableCapability(
        KvmCapability.KVM_CAP_X2APIC_API,
        KvmConstants.KVM_X2APIC_API_USE_32BIT_IDS | KvmConstants.KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);

    /// <summary>
    /// KVM's 8259s, I/O APIC and local APICs, wired as in a PC. After the RAM: a slot waits for an SRCU grace period, which
    /// takes 0.3 ms on a new VM, and 5 ms once the controllers have registered themselves.
    /// </summary>
    /// <exception cref="KvmException">There is a vCPU already.</exception>
    public void CreateInterruptControllers() => CreateInterruptControllers(hasPci: false);

    internal void CreateInterruptControllers(bool hasPci)
    {
        Vm.CreateIrqChip();
        _interrupts = new InterruptRouter(Vm.SetGsiRouting, hasPci);
    }

    /// <summary>An edge-triggered line as devices take it; the machine closes it.</summary>
    /// <exception cref="KvmException">KVM has no such line.</exception>
    public IInterruptTrigger ConnectEdge(uint gsi) => Own(new IrqFdTrigger(Vm, gsi, Tracing));

    /// <summary>A level-triggered line as devices take it, which no other device shares.</summary>
    public ILevelInterrupt ConnectLevel(uint gsi) => new IrqLine(Vm, gsi, Tracing);

    /// <summary>A vCPU with a thread of its own, which the machine runs and ends.</summary>
    /// <param name="apicId">Its local APIC's id.</param>
    /// <param name="hostCpu">Host CPU to be pinned to, or null.</param>
    /// <param name="timed">Whether the time inside and outside of the guest is measured.</param>
    /// <param name="assists">Whether instructions that KVM cannot emulate are completed, where that is exact.</param>
    /// <exception cref="KvmException">The id is taken, or the host has no more vCPUs to give.</exception>
    public VcpuThread AddVcpu(uint apicId, int? hostCpu = null, bool timed = false, bool assists = true)
    {
        KvmVcpu vcpu = Vm.CreateVcpu((int)apicId);
        VcpuThread thread = new(Vcpus.Count, vcpu, Ports, Mmio, Memory.Ram, Lifecycle, hostCpu, timed, assists);
        try
        {
            Debugger?.Adopt(thread);
            if (Tracing.Current is { } session)
                Trace(thread, session);
            Vcpus.Add(thread);
        }
        catch
        {
            thread.Dispose();
            throw;
        }

        return thread;
    }

    /// <summary>Has a vCPU's exits traced, as far as the trace is about it.</summary>
    internal void Trace(VcpuThread vcpu, TraceSession session) =>
        vcpu.StartTrace(session, Vm.CheckExtension(KvmCapability.KVM_CAP_SYNC_REGS) is var has
            && ((ulong)has & SharedRegisters) == SharedRegisters);

    /// <summary>
    /// Runs all vCPUs to the machine's end, on threads of their own: no thread of the caller's waits.
    /// </summary>
    /// <param name="cancellation">Ends the machine, for <see cref="StopKind.Interrupted"/>.</param>
    /// <returns>Why it ended; a vCPU that halts ends a machine without interrupt controllers.</returns>
    /// <exception cref="InvalidOperationException">It runs already, or has run.</exception>
    /// <exception cref="HostLimitException">
    /// The host has no thread left. By the task: a vCPU has none, or cannot be pinned.
    /// </exception>
    public Task<StopReason> RunAsync(CancellationToken cancellation = default) => Lifecycle.RunAsync(
        () =>
        {
            Vcpus.Start();
            Vcpus.WaitUntilOut();
            Vcpus.Resume();
            StopReason reason = Lifecycle.Wait(timeout: null);
            Vcpus.Join();
            return reason;
        },
        cancellation);

    /// <summary>Has the machine dispose of something at its end, the last first, after the vCPUs.</summary>
    public T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Push(part);
        return part;
    }

    /// <summary>Ends the machine, and waits until nobody runs it any more.</summary>
    public void End()
    {
        Lifecycle.Stop(new(StopKind.Interrupted));
        Lifecycle.JoinRun();
        Vcpus.Join();
    }

    /// <summary>Ends the machine if it still runs, and closes everything.</summary>
    public void Dispose()
    {
        End();
        Vcpus.Dispose();
        while (_owned.TryPop(out IDisposable? owned))
            owned.Dispose();
    }
}
