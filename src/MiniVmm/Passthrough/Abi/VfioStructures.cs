using System.Runtime.InteropServices;

namespace MiniVmm.Passthrough.Abi;

/// <summary>State of an IOMMU group (&lt;linux/vfio.h&gt;, VFIO_GROUP_GET_STATUS).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_group_status
{
    public uint argsz;

    /// <summary>VFIO_GROUP_FLAGS_* bits.</summary>
    public uint flags;
}

/// <summary>What a device has (VFIO_DEVICE_GET_INFO). Later kernels have a pad behind it, and take this.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_device_info
{
    public uint argsz;

    /// <summary>VFIO_DEVICE_FLAGS_* bits.</summary>
    public uint flags;
    public uint num_regions;
    public uint num_irqs;
    public uint cap_offset;
}

/// <summary>Header of a capability behind an information structure; offsets count from that one's start.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_info_cap_header
{
    public ushort id;
    public ushort version;

    /// <summary>Offset of the next one; 0 ends the chain.</summary>
    public uint next;
}

/// <summary>One region of a device: a BAR, configuration space (VFIO_DEVICE_GET_REGION_INFO).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_region_info
{
    public uint argsz;

    /// <summary>VFIO_REGION_INFO_FLAG_* bits.</summary>
    public uint flags;

    /// <summary>VFIO_PCI_*_REGION_INDEX: which region.</summary>
    public uint index;
    public uint cap_offset;
    public ulong size;

    /// <summary>Where the region begins in the device's file.</summary>
    public ulong offset;
}

/// <summary>The parts of a region that can be mapped; <see cref="nr_areas"/> areas follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_region_info_cap_sparse_mmap
{
    public vfio_info_cap_header header;
    public uint nr_areas;
    public uint reserved;
}

/// <summary>A part of a region that can be mapped, from the region's start.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_region_sparse_mmap_area
{
    public ulong offset;
    public ulong size;
}

/// <summary>One kind of interrupt of a device (VFIO_DEVICE_GET_IRQ_INFO).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_irq_info
{
    public uint argsz;

    /// <summary>VFIO_IRQ_INFO_* bits.</summary>
    public uint flags;

    /// <summary>VFIO_PCI_*_IRQ_INDEX: which kind.</summary>
    public uint index;
    public uint count;
}

/// <summary>Header before the data of VFIO_DEVICE_SET_IRQS: an eventfd for each, a byte for each, or nothing.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_irq_set
{
    public uint argsz;

    /// <summary>One VFIO_IRQ_SET_DATA_* and one VFIO_IRQ_SET_ACTION_* bit.</summary>
    public uint flags;
    public uint index;
    public uint start;
    public uint count;
}

/// <summary>A function that a hot reset resets as well.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_pci_dependent_device
{
    public uint group_id;
    public ushort segment;
    public byte bus;
    public byte devfn;
}

/// <summary>Header before the functions that a hot reset resets (VFIO_DEVICE_GET_PCI_HOT_RESET_INFO).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_pci_hot_reset_info
{
    public uint argsz;
    public uint flags;
    public uint count;
}

/// <summary>Header before the group file descriptors of a hot reset (VFIO_DEVICE_PCI_HOT_RESET).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_pci_hot_reset
{
    public uint argsz;
    public uint flags;
    public uint count;
}

/// <summary>What a container's IOMMU can do (VFIO_IOMMU_GET_INFO).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_iommu_type1_info
{
    public uint argsz;

    /// <summary>VFIO_IOMMU_INFO_* bits.</summary>
    public uint flags;
    public ulong iova_pgsizes;
    public uint cap_offset;
}

/// <summary>The addresses that devices can use; <see cref="nr_iovas"/> ranges follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_iommu_type1_info_cap_iova_range
{
    public vfio_info_cap_header header;
    public uint nr_iovas;
    public uint reserved;
}

/// <summary>Addresses that devices can use, the last included.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_iova_range
{
    public ulong start;
    public ulong end;
}

/// <summary>Memory for devices' DMA (VFIO_IOMMU_MAP_DMA).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_iommu_type1_dma_map
{
    public uint argsz;

    /// <summary>VFIO_DMA_MAP_FLAG_* bits.</summary>
    public uint flags;
    public ulong vaddr;
    public ulong iova;
    public ulong size;
}

/// <summary>Takes memory away from devices again (VFIO_IOMMU_UNMAP_DMA).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct vfio_iommu_type1_dma_unmap
{
    public uint argsz;
    public uint flags;
    public ulong iova;

    /// <summary>Bytes to unmap; afterwards those that were.</summary>
    public ulong size;
}
