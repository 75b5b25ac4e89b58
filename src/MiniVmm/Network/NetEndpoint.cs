namespace MiniVmm.Network;

/// <summary>
/// The host's end of a guest's network card: Ethernet frames over file descriptors, one frame a read or write. A tap
/// device, or a SOCK_SEQPACKET socket with a network in user mode behind it.
/// </summary>
internal abstract class NetEndpoint : IDisposable
{
    /// <summary>Bytes of the header where there is one.</summary>
    public const int VnetHeaderLength = 12;

    /// <summary>A descriptor for each pair of queues, non-blocking.</summary>
    public abstract IReadOnlyList<int> Descriptors { get; }

    /// <summary>
    /// Whether each frame has a struct virtio_net_hdr_v1 (12 bytes, virtio 1.2, 5.1.6) in front of it on the
    /// descriptors: without it the device adds one of zeroes, and accepts only such from the guest.
    /// </summary>
    public abstract bool HasVnetHeader { get; }

    /// <summary>Work on frames that the guest may leave to the host; needs the header.</summary>
    public virtual NetOffloads Offloads => NetOffloads.None;

    /// <summary>Largest packet without the Ethernet header, in bytes, for the guest's VIRTIO_NET_F_MTU.</summary>
    public abstract ushort Mtu { get; }

    /// <summary>Sets what the host may leave undone on frames to the guest (TUNSETOFFLOAD).</summary>
    public virtual void SetGuestOffloads(NetOffloads offloads)
    {
    }

    /// <summary>
    /// Starts or stops frames to a pair's descriptor (VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET). At first only the first
    /// descriptor gets any, and that one always does. Called on the thread that reads the descriptor.
    /// </summary>
    public virtual void SetPairActive(int pair, bool active)
    {
    }

    /// <summary>The host's interface that the frames go through; null where there is none, in user mode.</summary>
    public virtual string? InterfaceName => null;

    /// <summary>One line for people: "user mode, 10.0.2.0/24", "tap0 on bridge br0".</summary>
    public abstract string Description { get; }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}
