using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Gdb;

/// <summary>
/// What a vCPU came out with that stopped it: noted by its thread, read by gdb's. Before anybody looks, the vCPU enters once
/// more to finish its instruction, and KVM writes over what it said.
/// </summary>
internal sealed unsafe class StopRecord
{
    private readonly byte[] _said = new byte[32 + 256]; // kvm_run up to the end of its union
    private volatile bool _pending;

    public bool IsPending => _pending;

    public ExitKind Kind { get; private set; }

    /// <summary>Of <see cref="ExitKind.Debug"/>: exception, DR6 and linear address.</summary>
    public kvm_debug_exit_arch Debug { get; private set; }

    /// <summary>Whether it was an instruction that KVM could not emulate.</summary>
    public bool IsEmulationFailure { get; private set; }

    /// <summary>The watchpoint whose bytes were found changed; null for none.</summary>
    public Breakpoint? Change { get; private set; }

    /// <summary>On the vCPU's thread. Allocates nothing.</summary>
    /// <param name="run">What KVM said.</param>
    /// <param name="kind">The exit.</param>
    /// <param name="change">The watchpoint whose bytes were found changed.</param>
    public void Note(kvm_run* run, ExitKind kind, Breakpoint? change)
    {
        Change = change;
        new ReadOnlySpan<byte>(run, _said.Length).CopyTo(_said);
        Kind = kind;
        Debug = kind == ExitKind.Debug ? run->debug.arch : default;
        IsEmulationFailure = kind == ExitKind.InternalError
            && run->@internal.suberror == KvmConstants.KVM_INTERNAL_ERROR_EMULATION;
        _pending = true;
    }

    /// <summary>The end of a step that KVM has not noticed; on the vCPU's thread. Allocates nothing.</summary>
    public void NoteStep(Breakpoint? change)
    {
        Change = change;
        Kind = ExitKind.Debug;
        Debug = new() { exception = DebugControl.DebugException, dr6 = DebugControl.Dr6SingleStep };
        IsEmulationFailure = false;
        _pending = true;
    }

    public void Clear() => _pending = false;

    /// <summary>Puts back what KVM said, for whoever explains the machine's end.</summary>
    public void PutBack(kvm_run* run) => _said.AsSpan(8).CopyTo(new Span<byte>(run, _said.Length)[8..]);
}
