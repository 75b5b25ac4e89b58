using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Machine;

/// <summary>
/// A level-triggered interrupt line that several may share, behind two eventfds (KVM_IRQFD_FLAG_RESAMPLE): a write to one
/// asserts the line until the guest's end of interrupt, of which the other tells, so that who still wants an interrupt
/// asserts it again.
/// </summary>
internal sealed class SharedLevelLine : IInterruptTrigger, IDisposable
{
    private readonly EventFd _assert = new();
    private readonly EventFd _ended;
    private readonly TraceSwitch _trace;
    private readonly uint _gsi;

    /// <exception cref="KvmException">KVM has no such line.</exception>
    public SharedLevelLine(KvmVm vm, uint gsi, TraceSwitch trace)
    {
        _trace = trace;
        _gsi = gsi;
        try
        {
            _ended = new();
            vm.AssignIrqFd(_assert.Fd, gsi, _ended.Fd);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Readable after each end of interrupt.</summary>
    public EventFd Ended => _ended;

    /// <summary>For whoever else asserts it.</summary>
    public int Fd => _assert.Fd;

    /// <summary>Asserts the line.</summary>
    public void Trigger()
    {
        _trace.Current?.Interrupt(_gsi, 1);
        _assert.Signal();
    }

    public void Dispose()
    {
        _ended?.Dispose();
        _assert.Dispose();
    }
}
