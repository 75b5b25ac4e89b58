namespace MiniVmm.Virtio;

/// <summary>What a driver sees of a device's configuration space (virtio 1.2, 2.5).</summary>
internal static class ConfigurationSpace
{
    /// <summary>Copies from the fields; what is beyond their end reads as 0. Any offset, any length.</summary>
    public static void Read(ReadOnlySpan<byte> fields, uint offset, Span<byte> data)
    {
        data.Clear();
        if (offset >= fields.Length)
            return;
        ReadOnlySpan<byte> rest = fields[(int)offset..];
        rest[..Math.Min(rest.Length, data.Length)].CopyTo(data);
    }
}
