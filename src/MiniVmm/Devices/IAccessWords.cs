namespace MiniVmm.Devices;

/// <summary>An access to a device's registers, after it was served.</summary>
/// <param name="Offset">From the start of the window.</param>
/// <param name="Size">Bytes: 1, 2, 4 or 8.</param>
/// <param name="Value">What was written, or what the device gave, little-endian.</param>
/// <param name="IsWrite">Whether the guest wrote.</param>
public readonly record struct DeviceAccess(ulong Offset, int Size, ulong Value, bool IsWrite);

/// <summary>
/// What accesses to a device mean, in its own words. Told of the accesses in their order, on a thread that serves nobody, when
/// they are long over: it may remember what it was told, and knows nothing of the device's state but that.
/// </summary>
public interface IAccessWords
{
    /// <summary>As in "transmit 'H'", without the device's name; null where it has no words for it.</summary>
    string? Describe(in DeviceAccess access);
}

/// <summary>A device that has words of its own for accesses to it, which traces show.</summary>
public interface IDescribesAccesses
{
    /// <summary>Words for the accesses from now on; each trace has its own.</summary>
    IAccessWords CreateWords();
}
