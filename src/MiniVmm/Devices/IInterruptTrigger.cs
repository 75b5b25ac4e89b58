namespace MiniVmm.Devices;

/// <summary>An edge-triggered interrupt line, as a device sees it.</summary>
public interface IInterruptTrigger
{
    /// <summary>
    /// Raises one edge. Safe from any thread, and commutes with other calls: an edge raised while another is
    /// being delivered is not lost. A device calls it outside its own lock.
    /// </summary>
    void Trigger();
}
