using System.Runtime.CompilerServices;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;
using MiniVmm.Tracing;
using Stopwatch = System.Diagnostics.Stopwatch;

namespace MiniVmm.Execution;

/// <summary>
/// Writes a vCPU's exits into its ring, on its thread, without a wait and without an allocation. What an exit was is read once more
/// from kvm_run after it was served, so that the run loop knows nothing of it.
/// </summary>
/// <param name="session">Whose events they are.</param>
/// <param name="ring">The vCPU's.</param>
/// <param name="vcpu">The vCPU.</param>
/// <param name="ram">Guest RAM, for code bytes.</param>
/// <param name="statistics">Gets the times; tells kicks from other returns without an exit.</param>
/// <param name="shares">Whether KVM leaves registers in kvm_run at each exit (KVM_CAP_SYNC_REGS); else each is two calls more.</param>
internal sealed unsafe class VcpuTrace(
    TraceSession session, TraceRing ring, KvmVcpu vcpu, GuestMemory ram, VcpuStatistics statistics, bool shares)
{
    private const ulong Wanted = KvmConstants.KVM_SYNC_X86_REGS | KvmConstants.KVM_SYNC_X86_SREGS;
    private const int Half = TraceEvent.CodeBytes / 2;
    private const ulong PageBytes = 4096;

    private readonly TraceFilter _filter = session.Filter;
    private readonly TraceCodeCache _sent = new();
    private long _entered;
    private long _exited;
    private long _outside = Stopwatch.GetTimestamp();
    private long _kicks;
    private bool _isExit;
    private PagingState _paging;
    private ulong _rip;
    private byte _bits;

    /// <summary>The thread's: it begins.</summary>
    public void Attach()
    {
        _kicks = statistics.Kicks;
        if (shares)
            vcpu.Run->kvm_valid_regs |= Wanted;
    }

    /// <summary>The thread's, or nobody's: it ends. The assist goes on with the registers that it asked for itself.</summary>
    public void Detach()
    {
        kvm_run* run = vcpu.Run;
        if (run != null && (run->kvm_valid_regs & KvmConstants.KVM_SYNC_X86_EVENTS) == 0)
            run->kvm_valid_regs &= ~Wanted;
    }

    /// <summary>Before it enters the loop: what else this thread does belongs to the vCPU too.</summary>
    public void Claim() => TraceSession.Claim(ring);

    public void Entering()
    {
        long now = Stopwatch.GetTimestamp();
        statistics.AddOutside(now - _outside);
        _entered = now;
        _isExit = false;
    }

    public void Exited()
    {
        _exited = _outside = Stopwatch.GetTimestamp();
        statistics.AddInGuest(_exited - _entered);
    }

    /// <summary>Registers are read now: what serves the exit may change them.</summary>
    public void Decoded()
    {
        _isExit = true;
        if (session.HasEnough)
            return;
        if (shares)
        {
            kvm_sync_regs* now = &vcpu.Run->s.regs;
            Take(now->regs, now->sregs);
            return;
        }

        try
        {
            Take(vcpu.GetRegs(), vcpu.GetSregs());
        }
        catch (KvmException)
        {
            _bits = 0; // after a bug of its own KVM answers every call with EIO
        }
    }

    public void Served()
    {
        long served = Stopwatch.GetTimestamp();
        if (!_isExit)
        {
            if (statistics.Kicks == _kicks)
                return; // a woken application processor, which the statistics do not count either
            _kicks = statistics.Kicks;
        }

        if (session.HasEnough)
            return;
        Unsafe.SkipInit(out TraceEvent item);
        if (_isExit)
            Describe(vcpu.Run, vcpu.RunSize, ref item);
        else
            (item.Kind, item.Reason, item.Size, item.Count, item.Address, item.Value) = (TraceEventKind.Kick, (uint)KvmExitReason.KVM_EXIT_INTR, 0, 0, 0, 0);
        if (!_filter.Admits(item.Kind, item.Reason, item.Address))
            return;
        item.Slot = _isExit && _bits != 0 ? SendCode() : TraceEvent.NoSlot;
        item.Rip = _isExit ? _rip : 0;
        item.Detail = 0;
        item.Entered = _entered;
        item.Exited = _exited;
        item.Served = served;
        ring.TryWrite(item);
    }

    /// <summary>What an exit was, from kvm_run. Pure.</summary>
    internal static void Describe(kvm_run* run, int length, ref TraceEvent item)
    {
        ExitDecoder.Decode(run, length, out VmExit exit);
        item.Reason = (uint)run->exit_reason;
        item.Kind = exit.Kind switch
        {
            ExitKind.PortRead => TraceEventKind.PortRead,
            ExitKind.PortWrite => TraceEventKind.PortWrite,
            ExitKind.MmioRead => TraceEventKind.MemoryRead,
            ExitKind.MmioWrite => TraceEventKind.MemoryWrite,
            _ => TraceEventKind.Exit,
        };
        if (item.Kind != TraceEventKind.Exit)
        {
            item.Size = (byte)exit.Size;
            item.Count = exit.Count;
            item.Address = exit.Address;
            item.Value = First(exit.Data, exit.Size);
            return;
        }

        item.Size = 0;
        item.Count = 0;
        item.Address = 0;
        item.Value = 0;
        switch (run->exit_reason)
        {
            case KvmExitReason.KVM_EXIT_X86_RDMSR or KvmExitReason.KVM_EXIT_X86_WRMSR:
                item.Address = run->msr.index;
                item.Value = run->msr.data;
                break;
            case KvmExitReason.KVM_EXIT_SYSTEM_EVENT:
                item.Value = run->system_event.type;
                break;
            case KvmExitReason.KVM_EXIT_INTERNAL_ERROR:
                item.Value = run->@internal.suberror;
                break;
            case KvmExitReason.KVM_EXIT_FAIL_ENTRY:
                item.Value = run->fail_entry.hardware_entry_failure_reason;
                break;
        }
    }

    private static ulong First(byte* data, int size)
    {
        ulong value = 0;
        for (int i = Math.Min(size, 8) - 1; i >= 0; i--)
            value = value << 8 | data[i];
        return value;
    }

    private void Take(in kvm_regs regs, in kvm_sregs sregs)
    {
        _paging = PagingState.Of(regs, sregs);
        bool is64 = sregs.cs.l != 0 && (sregs.efer & ControlBits.EferLma) != 0;
        _bits = is64 ? (byte)64 : sregs.cs.db != 0 ? (byte)32 : (byte)16;
        _rip = is64 ? regs.rip : sregs.cs.@base + regs.rip & uint.MaxValue;
    }

    /// <summary>Sends the code around RIP, unless the reader has it.</summary>
    /// <returns>Its place at the reader's; <see cref="TraceEvent.NoSlot"/> where it does not fit, or cannot be read.</returns>
    private ushort SendCode()
    {
        // Kernel code is where it is in every address space.
        bool isHigh = (long)_rip < 0;
        ulong space = (isHigh ? 0 : _paging.Cr3) | 1UL << 63 | _bits;
        ushort slot = TraceCodeCache.SlotOf(_rip, space);
        if (_sent.Holds(slot, _rip, space))
            return slot;
        PageWalk walk = PageWalk.Of(_rip, _paging, ram);
        TraceEvent item = default;
        item.Kind = TraceEventKind.Code;
        item.Size = _bits;
        item.Slot = slot;
        item.Address = _rip;
        item.Value = ulong.MaxValue;
        if (walk.End == PageWalkEnd.Mapped)
        {
            item.Value = walk.Physical;
            int before = (int)Math.Min(Half, _rip % PageBytes); // of the same page
            if (!ram.TryGetSpan(walk.Physical - (ulong)before, before, out Span<byte> head))
                before = 0;
            int after = (int)Math.Min(Half, PageBytes - _rip % PageBytes);
            if (!ram.TryGetSpan(walk.Physical, after, out Span<byte> tail))
                after = 0;
            Span<byte> code = item.Code;
            head[..before].CopyTo(code[(Half - before)..]);
            tail[..after].CopyTo(code[Half..]);
            if (after < Half && after > 0 && PageWalk.Of(_rip + (ulong)after, _paging, ram) is { End: PageWalkEnd.Mapped } next
                && ram.TryGetSpan(next.Physical, Half - after, out Span<byte> rest))
            {
                rest.CopyTo(code[(Half + after)..]);
                after = Half;
            }

            item.Reason = (uint)(before | after << 8);
        }

        if (!ring.TryWrite(item))
            return TraceEvent.NoSlot;
        _sent.Keep(slot, _rip, space);
        return slot;
    }
}

/// <summary>Traces each exit.</summary>
/// <param name="trace">Takes them.</param>
internal readonly struct TraceProbe(VcpuTrace trace) : IExitProbe
{
    public void Entering() => trace.Entering();

    public void Exited() => trace.Exited();

    public void Decoded() => trace.Decoded();

    public void Served() => trace.Served();
}
