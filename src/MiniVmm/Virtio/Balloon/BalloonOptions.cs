namespace MiniVmm.Virtio.Balloon;

/// <summary>A balloon as it was asked for.</summary>
/// <param name="Size">Bytes of RAM that the guest is to leave to the host from the start.</param>
/// <param name="DeflateOnOom">Whether the guest may take pages back rather than end its processes.</param>
/// <param name="Reporting">Whether the guest tells which pages it has free, so that the host can have them.</param>
public sealed record BalloonOptions(ulong Size = 0, bool DeflateOnOom = true, bool Reporting = true);
