namespace MiniVmm.Passthrough.Abi;

/// <summary>VFIO's constants and request numbers (&lt;linux/vfio.h&gt;), with the kernel's names.</summary>
internal static class VfioConstants
{
    public const uint VFIO_API_VERSION = 0;
    public const uint VFIO_TYPE1v2_IOMMU = 3;

    // The requests tell no size: each structure begins with its own.
    private const uint Base = ((uint)';' << 8) + 100;

    public const uint VFIO_GET_API_VERSION = Base + 0;
    public const uint VFIO_CHECK_EXTENSION = Base + 1;
    public const uint VFIO_SET_IOMMU = Base + 2;
    public const uint VFIO_GROUP_GET_STATUS = Base + 3;
    public const uint VFIO_GROUP_SET_CONTAINER = Base + 4;
    public const uint VFIO_GROUP_GET_DEVICE_FD = Base + 6;
    public const uint VFIO_DEVICE_GET_INFO = Base + 7;
    public const uint VFIO_DEVICE_GET_REGION_INFO = Base + 8;
    public const uint VFIO_DEVICE_GET_IRQ_INFO = Base + 9;
    public const uint VFIO_DEVICE_SET_IRQS = Base + 10;
    public const uint VFIO_DEVICE_RESET = Base + 11;
    public const uint VFIO_DEVICE_GET_PCI_HOT_RESET_INFO = Base + 12;
    public const uint VFIO_DEVICE_PCI_HOT_RESET = Base + 13;
    public const uint VFIO_IOMMU_GET_INFO = Base + 12;
    public const uint VFIO_IOMMU_MAP_DMA = Base + 13;
    public const uint VFIO_IOMMU_UNMAP_DMA = Base + 14;

    public const uint VFIO_GROUP_FLAGS_VIABLE = 1 << 0;
    public const uint VFIO_DEVICE_FLAGS_RESET = 1 << 0;
    public const uint VFIO_DEVICE_FLAGS_PCI = 1 << 1;

    public const uint VFIO_REGION_INFO_FLAG_READ = 1 << 0;
    public const uint VFIO_REGION_INFO_FLAG_WRITE = 1 << 1;
    public const uint VFIO_REGION_INFO_FLAG_MMAP = 1 << 2;
    public const uint VFIO_REGION_INFO_FLAG_CAPS = 1 << 3;
    public const ushort VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1;
    public const ushort VFIO_REGION_INFO_CAP_MSIX_MAPPABLE = 3;

    public const uint VFIO_IRQ_INFO_EVENTFD = 1 << 0;
    public const uint VFIO_IRQ_INFO_MASKABLE = 1 << 1;
    public const uint VFIO_IRQ_INFO_AUTOMASKED = 1 << 2;
    public const uint VFIO_IRQ_INFO_NORESIZE = 1 << 3;
    public const uint VFIO_IRQ_SET_DATA_NONE = 1 << 0;
    public const uint VFIO_IRQ_SET_DATA_EVENTFD = 1 << 2;
    public const uint VFIO_IRQ_SET_ACTION_MASK = 1 << 3;
    public const uint VFIO_IRQ_SET_ACTION_UNMASK = 1 << 4;
    public const uint VFIO_IRQ_SET_ACTION_TRIGGER = 1 << 5;

    public const uint VFIO_PCI_BAR0_REGION_INDEX = 0;
    public const uint VFIO_PCI_BAR5_REGION_INDEX = 5;
    public const uint VFIO_PCI_CONFIG_REGION_INDEX = 7;
    public const uint VFIO_PCI_INTX_IRQ_INDEX = 0;
    public const uint VFIO_PCI_MSI_IRQ_INDEX = 1;
    public const uint VFIO_PCI_MSIX_IRQ_INDEX = 2;

    public const uint VFIO_IOMMU_INFO_CAPS = 1 << 1;
    public const ushort VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;
    public const uint VFIO_DMA_MAP_FLAG_READ = 1 << 0;
    public const uint VFIO_DMA_MAP_FLAG_WRITE = 1 << 1;
}
