using MiniVmm.Devices;

namespace MiniVmm.Virtio;

/// <summary>
/// Where the interrupts of a transport come out: one line for all of them, or a vector for each queue and one for the
/// configuration. From any thread; takes no lock, allocates nothing.
/// </summary>
public interface IVirtioVectors
{
    /// <summary>A queue has used buffers that the driver wants to hear of.</summary>
    void QueueUsed(int queue);

    /// <summary>The configuration space or the device's status changed.</summary>
    void ConfigurationChanged();
}

/// <summary>
/// One line for all: the driver finds the reason in <see cref="VirtioTransport.InterruptCauses"/> (virtio 1.2, 4.2.3.5).
/// </summary>
/// <param name="line">Edges.</param>
internal sealed class SharedLine(IInterruptTrigger line) : IVirtioVectors
{
    public void QueueUsed(int queue) => line.Trigger();

    public void ConfigurationChanged() => line.Trigger();
}
