using MiniVmm.Devices;
using MiniVmm.Pci;

namespace MiniVmm.Virtio;

/// <summary>
/// Where the interrupts of a function come out: by MSI-X the vector that the driver gave each queue and the configuration,
/// else the function's INTx line (virtio 1.2, 4.1.5.1.2 and 4.1.4.5).
/// </summary>
/// <param name="queues">How many.</param>
/// <param name="table">The messages.</param>
/// <param name="line">INTx: an edge asserts it, the guest's end of interrupt lets it fall.</param>
internal sealed class VirtioPciVectors(int queues, MsixTable table, IInterruptTrigger line) : IVirtioVectors
{
    /// <summary>VIRTIO_MSI_NO_VECTOR: no interrupt.</summary>
    public const ushort None = 0xffff;

    private readonly ushort[] _ofQueues = [.. Enumerable.Repeat(None, queues)];
    private ushort _ofConfiguration = None;

    /// <summary>Whether INTx is held back; set from any thread.</summary>
    public volatile bool LineDisabled;

    /// <summary>The vector of configuration changes.</summary>
    public ushort OfConfiguration
    {
        get => Volatile.Read(ref _ofConfiguration);
        set => Volatile.Write(ref _ofConfiguration, Checked(value));
    }

    /// <summary>The vector of a queue; none where there is no such queue.</summary>
    public ushort OfQueue(uint queue) => queue < _ofQueues.Length ? Volatile.Read(ref _ofQueues[queue]) : None;

    /// <summary>Gives a queue its vector; one that there is not is none, which the driver reads back.</summary>
    public void SetOfQueue(uint queue, ushort vector)
    {
        if (queue < _ofQueues.Length)
            Volatile.Write(ref _ofQueues[queue], Checked(vector));
    }

    /// <summary>As after a reset.</summary>
    public void Reset()
    {
        _ofQueues.AsSpan().Fill(None);
        OfConfiguration = None;
    }

    public void QueueUsed(int queue) => Send(Volatile.Read(ref _ofQueues[queue]));

    public void ConfigurationChanged() => Send(OfConfiguration);

    /// <summary>Asserts INTx, unless it is held back or MSI-X is used.</summary>
    public void AssertLine()
    {
        if (!LineDisabled && !table.IsEnabled)
            line.Trigger();
    }

    private void Send(ushort vector)
    {
        if (!table.IsEnabled)
            AssertLine();
        else if (vector != None)
            table.Trigger(vector);
    }

    private ushort Checked(ushort vector) => vector < table.Count ? vector : None;
}
