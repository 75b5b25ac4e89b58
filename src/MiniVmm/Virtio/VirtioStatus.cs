namespace MiniVmm.Virtio;

/// <summary>The device's status field (virtio 1.2, 2.1).</summary>
[Flags]
public enum VirtioStatus : byte
{
    None = 0,
    Acknowledge = 1,
    Driver = 2,
    DriverOk = 4,
    FeaturesOk = 8,
    NeedsReset = 64,
    Failed = 128,
}

/// <summary>Why there was an interrupt: MMIO's InterruptStatus and PCI's ISR (virtio 1.2, 4.2.2 and 4.1.4.5).</summary>
[Flags]
public enum InterruptCauses
{
    None = 0,

    /// <summary>A queue has used buffers.</summary>
    UsedBuffer = 1,

    /// <summary>The configuration changed, or the device needs a reset.</summary>
    ConfigurationChange = 2,
}
