using MiniVmm.Devices;

namespace MiniVmm.Tracing;

/// <summary>A device as traces name it, and what it makes of an access.</summary>
/// <param name="name">For people: "COM1".</param>
/// <param name="start">First port or address of its window.</param>
/// <param name="words">What it makes of accesses; null for a device that has no words for them.</param>
/// <param name="type">Which kind of virtio device it is (virtio 1.2, 5); 0 for another device.</param>
internal sealed class TracedDevice(string name, ulong start, IAccessWords? words, uint type = 0)
{
    /// <summary>Types of virtio devices (virtio 1.2, 5).</summary>
    public const uint Net = 1;
    /// <inheritdoc cref="Net"/>
    public const uint Block = 2;

    public string Name => name;

    public ulong Start => start;

    /// <summary>What it makes of an access.</summary>
    public string Describe(in TraceEvent access)
    {
        bool isWrite = access.Kind is TraceEventKind.PortWrite or TraceEventKind.MemoryWrite;
        ulong offset = access.Address - start;
        DeviceAccess seen = new(offset, access.Size, access.Value, isWrite);
        if (access.Count <= 1 && words?.Describe(seen) is { } own)
            return own;
        string items = access.Count > 1 ? $"{access.Count} x " : "";
        string bytes = access.Size == 1 ? "1 byte" : $"{access.Size} bytes";
        return $"{(isWrite ? "write" : "read")} {items}{bytes} at +0x{offset:x}";
    }

    /// <summary>What a request was; null for a kind of device that tells no more than how many bytes it had.</summary>
    public string? DescribeRequest(in TraceEvent request)
    {
        ulong sectors = request.Value / 512;
        return (type, request.Reason) switch
        {
            (Block, 0) => $"read {Count(sectors, "sector")} at {request.Address}",
            (Block, 1) => $"write {Count(sectors, "sector")} at {request.Address}",
            (Block, 4) => "flush",
            (Block, 8) => "tell its serial number",
            (Block, 11) => $"discard {Count(sectors, "sector")} at {request.Address}",
            (Block, 13) => $"zero {Count(sectors, "sector")} at {request.Address}",
            (Net, 0) => $"receive {Count(request.Value, "byte")}",
            (Net, 1) => $"transmit {Count(request.Value, "byte")}",
            _ => null,
        };
    }

    private static string Count(ulong count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";
}
