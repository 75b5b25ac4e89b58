using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MiniVmm.Assist;
using MiniVmm.Devices;
using MiniVmm.Kvm;
using MiniVmm.Memory;
using static Tmds.Linux.LibC;

namespace MiniVmm.Execution;

/// <summary>
/// The run loop of a vCPU: enter, see why it came out, serve it, again. Runs on the vCPU's own thread; from the first
/// entry to the last exit it allocates nothing, boxes nothing, awaits nothing, and takes no lock that another thread
/// holds across a system call.
/// </summary>
/// <param name="index">Position among the vCPUs, for the reason of a crash.</param>
/// <param name="vcpu">The vCPU.</param>
/// <param name="ports">The port bus.</param>
/// <param name="memory">The memory bus.</param>
/// <param name="lifecycle">Told of the end; asks for attention then.</param>
/// <param name="statistics">Counts the exits.</param>
/// <param name="coalesced">The ring of queued writes, where any are (KVM_REGISTER_COALESCED_MMIO).</param>
/// <param name="ram">Guest RAM, to tell a page that the host could not provide from an address where nothing is.</param>
/// <param name="assists">Whether instructions that KVM cannot emulate are completed here, with <paramref name="ram"/>.</param>
internal sealed unsafe class RunLoop(
    int index,
    KvmVcpu vcpu,
    Bus ports,
    Bus memory,
    Lifecycle lifecycle,
    VcpuStatistics statistics,
    CoalescedRing? coalesced = null,
    GuestMemory? ram = null,
    bool assists = false)
{
    // Of one instruction: a string operation on a device's memory is one exit an element, as long as the guest likes.
    private const int MostParts = 1 << 16;
    private readonly Attention _attention = Watched(lifecycle);
    private VcpuAssist? _assist;

    /// <summary>Brings the loop out before its next entry, with a kick also out of the guest.</summary>
    public Attention Attention => _attention;

    /// <summary>Takes exits that would end the machine; null for nobody. Before the first entry.</summary>
    public IVcpuStops? Stops { get; set; }

    /// <summary>Whether instructions that KVM cannot emulate are completed.</summary>
    public bool Assists => assists;

    /// <summary>Bytes that the assist allocated for the first instruction of each kind: the only ones of the loop.</summary>
    public long AssistBytes { get; private set; }

    /// <summary>The errno that KVM_RUN failed with, 0 if it did not.</summary>
    public int EntryError { get; private set; }

    /// <summary>
    /// Guest-physical address that the host could not provide (<see cref="StopKind.RamUnavailable"/>); null if KVM did
    /// not name one.
    /// </summary>
    public ulong? UnavailableAddress { get; private set; }

    /// <summary>
    /// Runs until <see cref="Attention"/> is wanted, as it is at the machine's end. No allocation from here on.
    /// </summary>
    public void Run<TProbe>(ref TProbe probe)
        where TProbe : struct, IExitProbe
    {
        kvm_run* run = vcpu.Run;
        int length = vcpu.RunSize;
        while (!_attention.IsWanted)
        {
            probe.Entering();
            int error = vcpu.Enter();
            probe.Exited();
            if (error != 0)
            {
                if (!Reenter(run, error))
                    return;
            }
            else
            {
                ExitDecoder.Decode(run, length, out VmExit exit);
                statistics.Count((uint)run->exit_reason);
                probe.Decoded();

                // What is queued happened before this exit.
                coalesced?.Drain(ports, memory);
                Serve(in exit);
                statistics.Remember(in exit, (uint)run->exit_reason);
            }

            probe.Served();
        }
    }

    /// <summary>Runs as <see cref="Run"/> does, for a <see cref="FaultRecorder"/>: slowly, and with its exits for debugging.</summary>
    public void Record(FaultRecorder recorder)
    {
        kvm_run* run = vcpu.Run;
        bool completes = false; // an instruction whose exit was served, before it is stepped any further
        while (!_attention.IsWanted)
        {
            if (!completes)
                recorder.BeforeEntry(vcpu);
            else
                Volatile.Write(ref run->immediate_exit, 1);
            int error = vcpu.Enter();
            completes = false;
            if (error != 0)
            {
                if (!Reenter(run, error))
                    return;
                continue;
            }

            Volatile.Write(ref run->immediate_exit, 0);
            Interlocked.MemoryBarrier();
            if (run->exit_reason == KvmExitReason.KVM_EXIT_DEBUG)
            {
                if (!recorder.Step(vcpu))
                    lifecycle.Stop(new(StopKind.Timeout));
                continue;
            }

            ExitDecoder.Decode(run, vcpu.RunSize, out VmExit exit);
            statistics.Count((uint)run->exit_reason);
            Serve(in exit);
            statistics.Remember(in exit, (uint)run->exit_reason);
            recorder.Served();
            completes = recorder.IsOn;
        }
    }

    /// <summary>
    /// Has KVM finish the instruction of the last exit, which it does only at the next entry (api.rst, 5: KVM_EXIT_IO),
    /// without running any further: registers are whole then. An access in parts needs several.
    /// </summary>
    /// <param name="trace">Gets the exits; null where nobody traces.</param>
    public void Complete(VcpuTrace? trace = null)
    {
        kvm_run* run = vcpu.Run;
        for (int parts = 0; parts < MostParts; parts++)
        {
            Volatile.Write(ref run->immediate_exit, 1);
            trace?.Entering();
            int error = vcpu.Enter();
            trace?.Exited();
            if (error != 0)
                break; // EINTR, or what the next entry will meet as well
            ExitDecoder.Decode(run, vcpu.RunSize, out VmExit exit);
            statistics.Count((uint)run->exit_reason);
            trace?.Decoded();
            Serve(in exit);
            trace?.Served();
        }

        Volatile.Write(ref run->immediate_exit, 0);
        Interlocked.MemoryBarrier(); // a kick from here on sets it anew
    }

    /// <summary>
    /// KVM_RUN came back with an errno: a kick (EINTR) or a woken application processor (EAGAIN) goes on.
    /// </summary>
    internal bool Reenter(kvm_run* run, int error)
    {
        if (error == EINTR)
        {
            statistics.Count((uint)KvmExitReason.KVM_EXIT_INTR);

            // The flag must be clear before the attention is read again: a kick in between sets it anew, and whoever
            // kicked before has already asked for attention.
            Volatile.Write(ref run->immediate_exit, 0);
            Interlocked.MemoryBarrier();
            return true;
        }

        if (error == EAGAIN)
            return true;
        EntryError = error;
        if (error != EFAULT)
        {
            lifecycle.Stop(new(StopKind.Crash, (uint)index));
            return false;
        }

        // The slots' host addresses stay mapped, so a page fault in one was refused by what is behind it. Linux 6.8 and
        // later name the page: kvm_run.memory_fault is flags, gpa, size.
        if (run->exit_reason == KvmExitReason.KVM_EXIT_MEMORY_FAULT)
            UnavailableAddress = ((ulong*)run->padding)[1];
        lifecycle.Stop(new(StopKind.RamUnavailable, (uint)index));
        return false;
    }

    /// <summary>
    /// Nothing is there, which reads as all ones; unless it is RAM: then KVM found no page behind it and took it for a
    /// device, and a guest that went on would lose what it writes.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Unclaimed(ulong address)
    {
        if (ram is null || !ram.TryResolve(address, 1, out _))
            return;
        UnavailableAddress = address;
        lifecycle.Stop(new(StopKind.RamUnavailable, (uint)index));
    }

    /// <summary>Ports and memory first, in line with the loop: all but a few exits of a machine's life are those.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Serve(in VmExit exit)
    {
        if (exit.Kind == ExitKind.PortWrite)
        {
            byte* data = exit.Data;
            for (uint i = exit.Count; i != 0; i--, data += exit.Size)
                ports.Write(exit.Address, MemoryMarshal.CreateReadOnlySpan(ref *data, exit.Size));
        }
        else if (exit.Kind == ExitKind.PortRead)
        {
            byte* data = exit.Data;
            for (uint i = exit.Count; i != 0; i--, data += exit.Size)
                ports.Read(exit.Address, MemoryMarshal.CreateSpan(ref *data, exit.Size));
        }
        else if (exit.Kind == ExitKind.MmioWrite)
        {
            if (!memory.Write(exit.Address, MemoryMarshal.CreateReadOnlySpan(ref *exit.Data, exit.Size)))
                Unclaimed(exit.Address);
        }
        else if (exit.Kind == ExitKind.MmioRead)
        {
            if (!memory.Read(exit.Address, MemoryMarshal.CreateSpan(ref *exit.Data, exit.Size)))
                Unclaimed(exit.Address);
        }
        else
        {
            ServeWithoutData(exit.Kind);
        }
    }

    private static Attention Watched(Lifecycle lifecycle)
    {
        Attention attention = new();
        lifecycle.Watch(attention);
        return attention;
    }

    private void ServeWithoutData(ExitKind kind)
    {
        switch (kind)
        {
            case ExitKind.SystemShutdown:
                lifecycle.PowerOff();
                break;
            case ExitKind.SystemReset:
                lifecycle.Reset();
                break;
            case ExitKind.Halt:
                lifecycle.Stop(new(StopKind.Halted, (uint)index));
                break;
            case ExitKind.UnknownMsr:
                vcpu.Run->msr.error = 1; // #GP, as KVM itself answers where nobody asks
                break;
            case ExitKind.Nothing:
            case ExitKind.InternalError when assists && TryAssist():
                break;
            default:
                if (Stops?.TryTake(index, kind) != true)
                    lifecycle.Stop(new(StopKind.Crash, (uint)index));
                break;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryAssist()
    {
        if (ram is null || vcpu.Run->@internal.suberror != KvmConstants.KVM_INTERNAL_ERROR_EMULATION)
            return false;
        long before = GC.GetAllocatedBytesForCurrentThread();
        _assist ??= VcpuAssist.Create(vcpu, ram);
        bool isDone = _assist?.TryComplete(leavesBreakpoints: Stops is { HasWrittenBreakpoints: true }) == true;
        if (!isDone || statistics.CountAssisted(_assist!.Mnemonic))
            AssistBytes += GC.GetAllocatedBytesForCurrentThread() - before;
        if (isDone)
            Stops?.Completed(index);
        return isDone;
    }
}
