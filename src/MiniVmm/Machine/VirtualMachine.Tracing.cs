using MiniVmm.Control;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Machine;

/// <summary>A machine that is watched: its exits, interrupts and requests.</summary>
public sealed partial class VirtualMachine
{
    private readonly Lock _tracing = new();
    private readonly IReadOnlyList<DeviceDescription> _described;
    private readonly IReadOnlyList<VirtioSlot> _virtioSlots;
    private TraceNamesOf? _traceNames;
    private bool _tracesMsrs;
    private TraceSession? _lastTrace;

    /// <summary>
    /// Makes the sink of a file, or of standard error for null, for traces that the control socket asks for; null where nobody can.
    /// </summary>
    internal Func<string?, ITraceSink>? TraceSinks { get; set; }

    /// <summary>The trace that is being made, or the last one.</summary>
    internal TraceState TraceState => (_core.Tracing.Current ?? _lastTrace) is { } session
        ? new(session == _core.Tracing.Current, session.Filter.Text, session.Taken, session.Lost, session.Failure ?? "")
        : new(false, "", 0, 0, "");

    /// <summary>The trace that is being made; null for none.</summary>
    internal TraceSession? Trace => _core.Tracing.Current;

    /// <summary>Begins a trace; vCPUs that run join it at their next entry. It ends with the machine, or by <see cref="StopTrace"/>.</summary>
    /// <param name="filter">What is traced.</param>
    /// <param name="sink">Gets it, and is disposed of with the trace.</param>
    /// <exception cref="BadInputException">There is no such vCPU, or a trace is being made already.</exception>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    internal void StartTrace(TraceFilter filter, ITraceSink sink)
    {
        ArgumentNullException.ThrowIfNull(filter);
        lock (_tracing)
        {
            CheckTrace(filter);
            int vcpus = _options.Topology.MaxCpus;
            _traceNames = new TraceNamesOf(_described, _virtioSlots, OpenKernel, _core);
            TraceSession session = new(filter, vcpus, _traceNames, sink);
            if ((filter.Kinds & TraceKinds.Msr) != 0)
                SetMsrExits(KvmConstants.KVM_MSR_EXIT_REASON_UNKNOWN | KvmConstants.KVM_MSR_EXIT_REASON_INVAL);
            _core.Tracing.Current = session;
            foreach (VcpuThread vcpu in _core.Vcpus)
                _core.Trace(vcpu, session);
        }
    }

    /// <summary><see cref="StartTrace(TraceFilter, ITraceSink)"/>, as the control socket asks for it.</summary>
    internal void StartTrace(string what, string? file)
    {
        if (TraceSinks is null)
            throw new BadInputException("its program writes no traces");
        TraceFilter filter = TraceFilter.Parse(what);
        CheckTrace(filter); // before a file is emptied
        StartTrace(filter, TraceSinks(file));
    }

    /// <summary>Ends the trace; when it returns, all of it is written.</summary>
    /// <returns>The trace that was; null where none was being made.</returns>
    internal TraceSession? StopTrace()
    {
        lock (_tracing)
        {
            TraceSession? session = _core.Tracing.Current;
            if (session is null)
                return null;
            foreach (VcpuThread vcpu in _core.Vcpus)
                vcpu.StopTrace();
            if (_tracesMsrs)
                SetMsrExits(0);
            _core.Tracing.Current = null;
            _lastTrace = session;
            session.Dispose();
            _traceNames?.Dispose();
            return session;
        }
    }

    private void CheckTrace(TraceFilter filter)
    {
        if (_core.Tracing.Current is { } other)
            throw new BadInputException($"the machine is traced already: {other.Filter.Text}");
        if (filter.Vcpu >= _options.Topology.MaxCpus)
            throw new BadInputException($"{OptionName.Trace.With(filter.Text)}: the machine has vCPUs 0 to {_options.Topology.MaxCpus - 1}");
    }

    /// <summary>Whether MSRs that KVM does not know come out to user space, which answers as KVM would.</summary>
    private void SetMsrExits(ulong reasons)
    {
        try
        {
            if (_core.Vm.CheckExtension(KvmCapability.KVM_CAP_X86_USER_SPACE_MSR) == 0)
                return;
            _core.Vm.EnableCapability(KvmCapability.KVM_CAP_X86_USER_SPACE_MSR, reasons);
            _tracesMsrs = reasons != 0;
        }
        catch (KvmException)
        {
            _tracesMsrs = false; // the trace is without them
        }
    }
}
