using MiniVmm.Tracing;

namespace MiniVmm.Virtio;

/// <summary>A device that tells of its requests.</summary>
internal interface ITracedRequests
{
    /// <summary>Who is told; null for nobody. After <see cref="IVirtioDevice.Attach"/>, before the threads start.</summary>
    DeviceTrace? Trace { set; }
}
