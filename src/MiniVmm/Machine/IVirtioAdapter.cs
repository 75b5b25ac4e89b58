using MiniVmm.Devices;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>What a virtio device's bus puts in front of it, wired to KVM: registers, doorbells, interrupts.</summary>
internal interface IVirtioAdapter : IDisposable
{
    VirtioTransport Transport { get; }

    /// <summary>What has a state, in the order in which it is restored.</summary>
    IEnumerable<ISuspendable> Suspendable { get; }
}
