namespace MiniVmm.Sharing;

/// <summary>A folder of the host's that the guest can mount.</summary>
public sealed record ShareOptions
{
    /// <summary>Where it is on the host.</summary>
    public required string Folder { get; init; }

    /// <summary>What the guest calls it when it mounts it, 1 to 255 bytes; null for <c>share0</c> and so on.</summary>
    public string? Tag { get; init; }

    /// <summary>Whether the guest can change nothing in it.</summary>
    public bool ReadOnly { get; init; }
}
