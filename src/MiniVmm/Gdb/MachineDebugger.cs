using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Gdb;

/// <summary>
/// A machine under gdb: all vCPUs stand still, or gdb waits for one of them to stop. Breakpoints are in place only while vCPUs
/// run. Calls come from gdb's thread, but for those that a vCPU's thread makes when it stops.
/// </summary>
internal sealed class MachineDebugger : IGdbTarget, IVcpuStops, IDisposable
{
    /// <summary>Milliseconds between two looks at breakpoints that the guest may write over.</summary>
    private const int BetweenLooks = 50;

    private readonly IDebuggedMachine _machine;
    private readonly bool _is64;
    private readonly bool _missesWatchpoints;
    private readonly EventFd _stopped = new();
    private readonly Lock _adopting = new();
    private readonly BreakpointTable _table = new();
    private readonly WrittenBreakpoints _written;
    private readonly GuestAddresses _addresses;
    private readonly GdbMonitor _monitor;
    private volatile DebuggedVcpu[] _vcpus = []; // exchanged as a whole
    private volatile BreakpointPlan _plan = BreakpointPlan.Nothing;
    private volatile WatchedMemory? _watched;
    private volatile bool _attached;
    private RegisterSet? _registers;
    private ExtendedState _extended;

    /// <param name="machine">The machine.</param>
    /// <param name="is64">Whether gdb is to see an x86-64.</param>
    public MachineDebugger(IDebuggedMachine machine, bool is64)
    {
        _machine = machine;
        _is64 = is64;
        _missesWatchpoints = machine.MissesWatchpoints;
        _written = new WrittenBreakpoints(machine.Memory);
        _addresses = new GuestAddresses(machine);
        _monitor = new GdbMonitor(machine, this);
        StepsHoldInterrupts = machine.CanHoldInterrupts;
    }

    /// <summary>Readable when a vCPU has stopped.</summary>
    public int StoppedFd => _stopped.Fd;

    /// <summary>Milliseconds until <see cref="Patrol"/> is due while the guest runs; -1 for never.</summary>
    public int UntilPatrol =>
        Array.Exists(_vcpus, vcpu => vcpu.HoldsInterrupts) ? 1 : !_written.IsEmpty || _plan.Pending.Count > 0 ? BetweenLooks : -1;

    /// <summary>How the breakpoints are in place, or were when the guest last ran.</summary>
    public BreakpointPlan Plan => _plan;

    /// <summary>Whether the guest has run since it was there.</summary>
    public bool HasRun { get; private set; }

    /// <summary>Whether the machine is to be reset instead of going on.</summary>
    public bool ResetsNext { get; set; }

    public RegisterSet Registers => _registers ??= Describe();

    public bool StepsHoldInterrupts { get; set; }

    public IReadOnlyList<int> Vcpus =>
        [.. _machine.Vcpus.Where(vcpu => vcpu.Index == 0 || !vcpu.IsParked).Select(vcpu => vcpu.Index)];

    /// <summary>Takes a vCPU that is new, on the thread that makes it; its own has not been started.</summary>
    public void Adopt(VcpuThread vcpu)
    {
        vcpu.Stops = this;
        lock (_adopting)
        {
            DebuggedVcpu adopted = new(vcpu);
            adopted.Prepare(_plan, holdsInterrupts: false, looksAtEach: _watched is not null);
            _vcpus = [.. _vcpus, adopted];
        }
    }

    /// <summary>gdb has come: the guest stands still from here on.</summary>
    /// <exception cref="VmmException">It cannot be stopped now.</exception>
    public void Attach()
    {
        _machine.Hold();
        _attached = true; // not before: nobody would look at what stops where it cannot be held
    }

    /// <inheritdoc/>
    /// <remarks>Allocates nothing, but where watched bytes have changed.</remarks>
    public unsafe bool TryTake(int vcpu, ExitKind kind)
    {
        if (!_attached)
            return kind == ExitKind.Debug; // late, of a gdb that has gone
        DebuggedVcpu debugged = _vcpus[vcpu];
        kvm_run* run = debugged.Thread.Vcpu.Run;
        Breakpoint? change = null;
        if (kind == ExitKind.Debug)
        {
            change = _watched?.FindChange(debugged.Thread.Vcpu, debugged.At);
            debugged.At = run->debug.arch.pc;
            if (change is null && DebugControl.IsStepAlone(run->debug.arch)
                && (debugged.Steps ? debugged.TryStepOn(run->debug.arch.pc) : _watched is not null))
                return true; // on to the next instruction
        }

        debugged.Record.Note(run, kind, change);
        debugged.Thread.Hold();
        _stopped.Signal();
        return true;
    }

    public bool HasWrittenBreakpoints => !_written.IsEmpty;

    public void Completed(int vcpu)
    {
        DebuggedVcpu debugged = _vcpus[vcpu];
        Breakpoint? change = _watched?.FindChange(debugged.Thread.Vcpu, debugged.At);
        debugged.At = null;
        if (!_attached || (change is null && !debugged.Steps))
            return;
        debugged.Record.NoteStep(change);
        debugged.Thread.Hold();
        _stopped.Signal();
    }

    public string Describe(int vcpu) => $"CPU#{vcpu} [{VcpuWords.State(_machine.Vcpus[vcpu])}]";

    public void ReadRegisters(int vcpu, Span<byte> values)
    {
        VcpuImage image = Capture(vcpu);
        foreach (GdbRegister register in Registers.All)
            image.Read(register, values.Slice(register.Place, register.Bytes));
    }

    public bool TryWriteRegisters(int vcpu, IEnumerable<GdbRegister> registers, ReadOnlyMemory<byte> values)
    {
        bool done = true;
        _machine.Vcpus[vcpu].Invoke(kvm =>
        {
            VcpuImage image = VcpuImage.Capture(kvm, _extended);
            HashSet<RegisterPart> parts = [];
            foreach (GdbRegister register in registers)
            {
                done = image.TryWrite(register, values.Span.Slice(register.Place, register.Bytes));
                if (!done)
                    break;
                parts.Add(register.Part);
            }

            foreach (RegisterPart part in parts)
                image.Apply(kvm, part);
        });
        return done;
    }

    public int ReadMemory(int vcpu, ulong address, Span<byte> bytes, bool isPhysical) =>
        _addresses.Read(vcpu, address, bytes, isPhysical);

    public bool TryWriteMemory(int vcpu, ulong address, ReadOnlySpan<byte> bytes, bool isPhysical) =>
        _addresses.TryWrite(vcpu, address, bytes, isPhysical);

    public BreakpointAnswer Set(Breakpoint breakpoint) =>
        _missesWatchpoints && breakpoint.Kind == BreakpointKind.AccessWatch ? BreakpointAnswer.Unknown : _table.Set(breakpoint);

    public void Clear(Breakpoint breakpoint) => _table.Clear(breakpoint);

    public string Monitor(string command, int vcpu) => _monitor.Do(command, vcpu);

    public void Kill() => _machine.End(new(StopKind.Interrupted));

    public void Stop()
    {
        _machine.Hold();
        foreach (DebuggedVcpu vcpu in _vcpus.Where(vcpu => vcpu.RunsAlone))
        {
            vcpu.Thread.Pause();
            vcpu.Thread.WaitUntilOut();
            vcpu.RunsAlone = false;
        }

        // While it is known which INT3 was whose.
        foreach (DebuggedVcpu vcpu in _vcpus.Where(vcpu => vcpu.Record.IsPending))
            _ = Classify(vcpu);
        foreach (DebuggedVcpu vcpu in _vcpus.Where(vcpu => vcpu.HoldsInterrupts))
            vcpu.StopArrival();
        _written.Remove();
    }

    public void Run(Func<int, VcpuOrder> order)
    {
        HasRun = true;
        if (ResetsNext)
        {
            _machine.End(new(StopKind.Reset));
            return;
        }

        foreach (DebuggedVcpu vcpu in _vcpus.Where(vcpu => vcpu.Record.IsPending))
        {
            switch (Classify(vcpu)?.Cause)
            {
                case StopCause.Crash or StopCause.BadInstruction:
                    EndAfterCrash(vcpu);
                    return;
                case StopCause.Watch:
                    _stopped.Signal(); // its instruction is done: it would not come again
                    return;
                case null:
                    vcpu.GiveBack(_machine.CanHoldInterrupts);
                    break;
                default:
                    vcpu.Forget(); // it comes again
                    break;
            }
        }

        try
        {
            Insert();
            foreach (DebuggedVcpu vcpu in _vcpus)
            {
                vcpu.Order = order(vcpu.Thread.Index);
                vcpu.Prepare(_plan, StepsHoldInterrupts && _machine.CanHoldInterrupts, _watched is not null);
            }
        }
        catch (SystemCallException)
        {
            _written.Remove(); // the guest stands still, and gdb sees what is its own
            throw;
        }

        LetGo();
    }

    /// <summary>Has each vCPU follow its order.</summary>
    private void LetGo()
    {
        DebuggedVcpu[] running = [.. _vcpus.Where(vcpu => vcpu.Order.Kind != ThreadOrder.Stay)];
        foreach (DebuggedVcpu vcpu in _vcpus.Except(running))
            vcpu.Thread.Hold();
        foreach (DebuggedVcpu vcpu in running)
            vcpu.Thread.LetGo();
        if (Array.Exists(running, vcpu => vcpu.Order.Kind == ThreadOrder.Continue && !vcpu.Thread.IsParked))
        {
            _machine.Release();
            return;
        }

        // One step, and the rest of the machine does not notice.
        foreach (DebuggedVcpu vcpu in running)
        {
            vcpu.RunsAlone = true;
            vcpu.Thread.Resume();
        }
    }

    public bool TryTakeStop(out GdbStop stop)
    {
        _ = _stopped.Read();
        stop = default;
        bool found = false;
        foreach (DebuggedVcpu vcpu in _vcpus.Where(vcpu => vcpu.Record.IsPending))
        {
            if (Classify(vcpu) is not { } meaning)
            {
                vcpu.GiveBack(_machine.CanHoldInterrupts);
            }
            else if (!found || stop.Cause is StopCause.SoftwareBreakpoint or StopCause.HardwareBreakpoint)
            {
                // Those that would not come again come first.
                stop = meaning;
                found = true;
            }
        }

        if (!found)
            return false;
        try
        {
            Stop();
        }
        catch (VmmException)
        {
            _stopped.Signal(); // a device holds another vCPU up: once more, then
            throw;
        }

        if (IsDeath(stop))
        {
            DebuggedVcpu dead = _vcpus[stop.Vcpu];
            dead.Thread.Invoke(vcpu => PutBack(vcpu, dead.Record));
            stop = stop with { Note = $"{_machine.ExplainDeath(dead.Thread)}the machine ends when it is to go on\n" };
            return true;
        }

        _vcpus[stop.Vcpu].Forget();
        return true;
    }

    /// <summary>
    /// While the guest runs: interrupts that wait for an exception to arrive, breakpoints that the guest wrote over, and those whose
    /// addresses were not mapped.
    /// </summary>
    public void Patrol()
    {
        foreach (DebuggedVcpu vcpu in _vcpus.Where(vcpu => vcpu.HoldsInterrupts))
            vcpu.LookForArrival();
        PagingState[]? paging = null; // asking interrupts every vCPU
        _written.Renew((linear, physical) => _addresses.IsCode(linear, physical, paging ??= _addresses.Paging()));
        if (_plan.Pending.Count == 0)
            return;
        paging ??= _addresses.Paging();
        foreach (ulong address in _plan.Pending)
        {
            if (!_written.IsAt(address) && _addresses.Find(address, paging) is { } physical)
                _written.TryWrite(address, physical);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Where it throws, breakpoints are still in place, and what stops at them waits: it is to be tried again.</remarks>
    public void Detach()
    {
        HasRun = true;
        if (ResetsNext)
        {
            _machine.End(new(StopKind.Reset));
            return;
        }

        // A vCPU that has died waits for no other one, which may be held up.
        _ = _stopped.Read();
        if (Array.Find(_vcpus, vcpu => vcpu.Record.IsPending && IsDeath(Classify(vcpu))) is { } dead)
        {
            EndAfterCrash(dead);
            return;
        }

        Stop();
        _table.ClearAll();
        _plan = BreakpointPlan.Nothing;
        _watched = null;
        foreach (DebuggedVcpu vcpu in _vcpus)
        {
            GdbStop? meaning = vcpu.Record.IsPending ? Classify(vcpu) : new(vcpu.Thread.Index, StopCause.Interrupt);
            if (IsDeath(meaning))
            {
                EndAfterCrash(vcpu);
                return;
            }

            // An INT3 of its own will go to the guest without KVM's asking.
            if (meaning is null && vcpu.Record.Debug.exception != DebugControl.BreakpointException)
                vcpu.GiveBack(canHold: false);
            vcpu.Forget();
            vcpu.Order = new(ThreadOrder.Continue);
            vcpu.Prepare(_plan, holdsInterrupts: false, looksAtEach: false);
            vcpu.Thread.LetGo();
        }

        _attached = false;
        _machine.Release();
    }

    /// <summary>gdb has gone without a word, before the guest has run: it waits for the next one.</summary>
    public void Forget()
    {
        Stop();
        _table.ClearAll();
        _attached = false;
    }

    public void Dispose() => _stopped.Dispose();

    /// <summary>The registers of a vCPU that stands still.</summary>
    internal VcpuImage Capture(int vcpu)
    {
        VcpuImage? image = null;
        _ = Registers;
        _machine.Vcpus[vcpu].Invoke(kvm => image = VcpuImage.Capture(kvm, _extended));
        return image!;
    }

    private RegisterSet Describe()
    {
        _machine.Vcpus[0].Invoke(kvm => _extended = ExtendedState.Of(kvm, _machine.ExtendedStateSize));
        return RegisterSet.Create(_is64, hasYmm: _extended.YmmAt > 0);
    }

    private static bool IsDeath(GdbStop? meaning) => meaning is { Cause: StopCause.Crash or StopCause.BadInstruction };

    /// <summary>What a pending stop means to gdb; null for an exception of the guest's own.</summary>
    private GdbStop? Classify(DebuggedVcpu vcpu)
    {
        if (vcpu.IsClassified)
            return vcpu.Meaning;
        GdbStop? meaning = Meaning(vcpu);
        vcpu.Classify(meaning);
        if (vcpu.Record.IsEmulationFailure && meaning is { Cause: StopCause.SoftwareBreakpoint })
            vcpu.Thread.Invoke(DropInvalidOpcode);
        return meaning;
    }

    private GdbStop? Meaning(DebuggedVcpu vcpu)
    {
        StopRecord record = vcpu.Record;
        int index = vcpu.Thread.Index;
        if (record.IsEmulationFailure && _written.IsAt(LinearPointer(vcpu)))
            return new(index, StopCause.SoftwareBreakpoint); // a KVM that emulates has no INT3
        if (record.Kind != ExitKind.Debug)
            return new(index, record.IsEmulationFailure ? StopCause.BadInstruction : StopCause.Crash);

        if (record.Change is { } change)
            return new(index, StopCause.Watch, change);
        if (record.Debug.exception == DebugControl.BreakpointException)
            return _written.IsAt(record.Debug.pc) ? new(index, StopCause.SoftwareBreakpoint) : null;
        if (DebugControl.Hit(_plan, record.Debug.dr6) is { } hit)
        {
            return hit.Breakpoint.Kind switch
            {
                BreakpointKind.Software => new(index, StopCause.SoftwareBreakpoint),
                BreakpointKind.Hardware => new(index, StopCause.HardwareBreakpoint),
                _ => new(index, StopCause.Watch, hit.Breakpoint),
            };
        }

        return vcpu.Steps ? new(index, StopCause.Step) : null;
    }

    private ulong LinearPointer(DebuggedVcpu vcpu)
    {
        VcpuImage image = Capture(vcpu.Thread.Index);
        return new GuestView(image.General, image.Special, _machine.Memory).Rip;
    }

    /// <summary>KVM has the guest get an exception for the INT3 that it could not emulate.</summary>
    private static void DropInvalidOpcode(KvmVcpu vcpu)
    {
        kvm_vcpu_events events = vcpu.GetVcpuEvents();
        if (events.exception is not { injected: not 0, nr: ExceptionVector.InvalidOpcode })
            return;
        events.exception = default;
        vcpu.SetVcpuEvents(events);
    }

    /// <summary>Puts the breakpoints in place; the vCPUs stand still.</summary>
    private void Insert()
    {
        Dictionary<ulong, ulong> physical = [];
        PagingState[]? paging = null;
        _plan = _table.Plan(address =>
        {
            paging ??= _addresses.Paging();
            if (_addresses.Find(address, paging) is not { } found)
                return false;
            physical[address] = found;
            return true;
        });
        foreach (ulong address in _plan.Written)
            _written.TryWrite(address, physical[address]);

        _watched = null;
        if (_missesWatchpoints && _plan.Registers.Any(register => register.Breakpoint.IsWatch))
        {
            WatchedMemory watched = new(_machine.Memory, _plan.Registers.Where(register => register.Breakpoint.IsWatch));
            _machine.Vcpus[0].Invoke(vcpu => watched.FindChange(vcpu, at: null)); // as it is now
            _watched = watched;
        }
    }

    private static unsafe void PutBack(KvmVcpu vcpu, StopRecord record) => record.PutBack(vcpu.Run);

    private void EndAfterCrash(DebuggedVcpu vcpu)
    {
        vcpu.Forget();
        vcpu.Thread.Invoke(kvm => PutBack(kvm, vcpu.Record));
        _machine.End(new(StopKind.Crash, (uint)vcpu.Thread.Index));
    }
}
