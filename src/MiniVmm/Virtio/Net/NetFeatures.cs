namespace MiniVmm.Virtio.Net;

/// <summary>VIRTIO_NET_F_* (virtio 1.2, 5.1.3).</summary>
[Flags]
internal enum NetFeatures : ulong
{
    None = 0,

    /// <summary>The device finishes checksums.</summary>
    Csum = 1UL << 0,

    /// <summary>The driver takes frames with unfinished checksums.</summary>
    GuestCsum = 1UL << 1,

    /// <summary>The driver changes its offloads while it runs.</summary>
    CtrlGuestOffloads = 1UL << 2,

    /// <summary>The device tells its MTU.</summary>
    Mtu = 1UL << 3,

    /// <summary>The device has an address.</summary>
    Mac = 1UL << 5,

    GuestTso4 = 1UL << 7,
    GuestTso6 = 1UL << 8,
    GuestEcn = 1UL << 9,
    GuestUfo = 1UL << 10,
    HostTso4 = 1UL << 11,
    HostTso6 = 1UL << 12,
    HostEcn = 1UL << 13,

    /// <summary>A frame may fill several receive buffers.</summary>
    MrgRxbuf = 1UL << 15,

    /// <summary>The device tells whether its link is up.</summary>
    Status = 1UL << 16,

    CtrlVq = 1UL << 17,
    CtrlRx = 1UL << 18,
    CtrlVlan = 1UL << 19,
    CtrlRxExtra = 1UL << 20,

    /// <summary>Several pairs of queues.</summary>
    Mq = 1UL << 22,

    CtrlMacAddr = 1UL << 23,

    /// <summary>What the driver may turn on and off by VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET.</summary>
    GuestOffloads = GuestCsum | GuestTso4 | GuestTso6 | GuestEcn,

    /// <summary>What an endpoint may be able to do.</summary>
    Offloads = GuestOffloads | Csum | HostTso4 | HostTso6 | HostEcn,
}
