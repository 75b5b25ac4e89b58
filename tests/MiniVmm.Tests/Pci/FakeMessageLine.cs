using MiniVmm.Pci;

namespace MiniVmm.Tests.Pci;

/// <summary>A message line without KVM: keeps what was sent.</summary>
internal sealed class FakeMessageLine : IMessageLine
{
    private (ulong Address, uint Data)? _message;

    /// <summary>All messages, in order.</summary>
    public List<(ulong Address, uint Data)> Sent { get; } = [];

    public bool IsPending { get; private set; }

    public bool IsConnected => _message is not null;

    public void Trigger()
    {
        if (_message is { } message)
            Sent.Add(message);
        else
            IsPending = true;
    }

    public bool TryConnect(ulong address, uint data)
    {
        if (address >> 32 != 0)
        {
            Disconnect();
            return false;
        }

        _message = (address, data);
        if (IsPending)
        {
            IsPending = false;
            Trigger();
        }

        return true;
    }

    public void Disconnect() => _message = null;

    public void Clear() => IsPending = false;

    public void Dispose() => Disconnect();
}
