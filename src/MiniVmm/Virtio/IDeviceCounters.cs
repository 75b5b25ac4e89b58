namespace MiniVmm.Virtio;

/// <summary>A device that counts what it does for its guest.</summary>
internal interface IDeviceCounters
{
    /// <summary>"blk", "net".</summary>
    string Kind { get; }

    /// <summary>Since the machine's start, by names in camel case: "reads", "readBytes". From any thread.</summary>
    IReadOnlyDictionary<string, long> ReadCounters();
}
