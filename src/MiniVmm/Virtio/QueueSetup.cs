namespace MiniVmm.Virtio;

/// <summary>Where a driver wants a queue to be, as it said it: nothing is checked here.</summary>
public record struct QueueSetup
{
    /// <summary>Descriptors.</summary>
    public ushort Size { get; set; }

    /// <summary>Whether the driver uses the queue (MMIO's QueueReady, PCI's queue_enable).</summary>
    public bool IsEnabled { get; set; }

    /// <summary>Guest address of the descriptor table.</summary>
    public ulong Descriptors { get; set; }

    /// <summary>Of the available ring, the driver area (virtio 1.2, 2.6).</summary>
    public ulong Available { get; set; }

    /// <summary>Of the used ring, the device area.</summary>
    public ulong Used { get; set; }
}
