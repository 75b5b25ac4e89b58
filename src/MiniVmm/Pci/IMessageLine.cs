using MiniVmm.Devices;

namespace MiniVmm.Pci;

/// <summary>
/// A line that sends a message-signalled interrupt at each edge. While it is not connected, edges gather in it, and
/// one message is sent when it is.
/// </summary>
internal interface IMessageLine : IInterruptTrigger, IDisposable
{
    /// <summary>Whether edges have come while it was not connected.</summary>
    bool IsPending { get; }

    /// <summary>Sends this message from now on; of an impossible one nothing is sent, and the line is not connected.</summary>
    /// <param name="address">Message address (SDM vol. 3, 11.11.1).</param>
    /// <param name="data">Message data (11.11.2).</param>
    /// <returns>Whether there is such a message.</returns>
    bool TryConnect(ulong address, uint data);

    /// <summary>Holds messages back; none comes after this returns.</summary>
    void Disconnect();

    /// <summary>Forgets edges that have come while it was not connected.</summary>
    void Clear();
}
