namespace MiniVmm.Virtio;

/// <summary>Feature bits that belong to no device type (virtio 1.2, 6).</summary>
[Flags]
public enum VirtioFeatures : ulong
{
    None = 0,

    /// <summary>VIRTIO_F_INDIRECT_DESC: a descriptor may point at a table of them.</summary>
    IndirectDescriptors = 1UL << 28,

    /// <summary>VIRTIO_F_EVENT_IDX: each side says at which index it wants to be told.</summary>
    EventIndex = 1UL << 29,

    /// <summary>VIRTIO_F_VERSION_1: not a legacy device.</summary>
    Version1 = 1UL << 32,

    /// <summary>VIRTIO_F_RING_RESET: the driver can reset one queue alone.</summary>
    RingReset = 1UL << 40,
}
