namespace MiniVmm.Passthrough;

/// <summary>A part of a region, in bytes from its start.</summary>
internal readonly record struct RegionArea(ulong Offset, ulong Length)
{
    public ulong End => Offset + Length;

    public bool Overlaps(RegionArea other) => Offset < other.End && other.Offset < End;
}

/// <summary>A region of a VFIO device: a BAR, or configuration space.</summary>
/// <param name="Index">VFIO_PCI_*_REGION_INDEX.</param>
/// <param name="Size">Bytes; 0 for a BAR that the device does not have.</param>
/// <param name="FileOffset">Where it begins in the device's file.</param>
/// <param name="IsWritable">Whether it can be written.</param>
/// <param name="Mappable">The parts that can be mapped, in ascending order.</param>
internal sealed record VfioRegion(
    uint Index, ulong Size, ulong FileOffset, bool IsWritable, IReadOnlyList<RegionArea> Mappable);

/// <summary>A kind of interrupt of a VFIO device.</summary>
/// <param name="Index">VFIO_PCI_*_IRQ_INDEX.</param>
/// <param name="Count">Vectors; 0 for a kind that the device does not have.</param>
/// <param name="IsFixed">Whether no vector can be added to those that were set first (VFIO_IRQ_INFO_NORESIZE).</param>
internal sealed record VfioInterrupt(uint Index, uint Count, bool IsFixed);
