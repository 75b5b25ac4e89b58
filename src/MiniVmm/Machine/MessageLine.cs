using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Pci;
using MiniVmm.Tracing;

namespace MiniVmm.Machine;

/// <summary>
/// A message-signalled interrupt behind an eventfd, with a route of its own: one write is one message, and no exit to user
/// space. Disconnected it is KVM's no more, and the eventfd's counter is the pending bit; KVM looks at that when it is
/// connected again.
/// </summary>
internal sealed class MessageLine(KvmVm vm, InterruptRouter router, TraceSwitch trace) : IMessageLine
{
    private readonly EventFd _event = new();
    private uint? _gsi;
    private bool _connected;
    private ulong _address;
    private uint _data;

    public bool IsPending => !_connected && _event.IsSignalled;

    /// <summary>For whoever else raises it: VFIO.</summary>
    public int Fd => _event.Fd;

    public void Trigger()
    {
        trace.Current?.Interrupt(_gsi ?? 0, TraceSession.Message, _address, _data);
        _event.Signal();
    }

    public bool TryConnect(ulong address, uint data)
    {
        try
        {
            if (_gsi is null)
                _gsi = router.AddMessage(address, data);
            else if (address != _address || data != _data)
                router.SetMessage(_gsi.Value, address, data);
        }
        catch (KvmException refused) when (refused.Errno == Errno.EINVAL)
        {
            Disconnect(); // bits of the address that KVM has no use for
            return false;
        }

        (_address, _data) = (address, data);
        if (!_connected)
            vm.AssignIrqFd(_event.Fd, _gsi.Value);
        _connected = true;
        return true;
    }

    public void Disconnect()
    {
        if (_connected)
            vm.DeassignIrqFd(_event.Fd, _gsi!.Value);
        _connected = false;
    }

    public void Clear() => _event.Read();

    public void Dispose() => _event.Dispose();
}
