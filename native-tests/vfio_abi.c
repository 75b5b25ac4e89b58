/*
 * What <linux/vfio.h> says about the ABI, for VfioAbiTests to hold against the C# side; the lines are kvm_abi.c's.
 * Build: cc vfio_abi.c -o vfio_abi. Needs linux-libc-dev of Linux 6.1 or newer.
 */
#include <linux/vfio.h>
#include "abi_facts.h"

static void devices(void)
{
#define S vfio_group_status
	SIZE()
	F(argsz) F(flags)
#undef S
#define S vfio_device_info
	/* Later kernels have a pad behind it. */
	printf("sizeof %s %zu\n", TEXT(S), offsetof(struct S, cap_offset) + sizeof(__u32));
	F(argsz) F(flags) F(num_regions) F(num_irqs) F(cap_offset)
#undef S
#define S vfio_info_cap_header
	SIZE()
	F(id) F(version) F(next)
#undef S
#define S vfio_region_info
	SIZE()
	F(argsz) F(flags) F(index) F(cap_offset) F(size) F(offset)
#undef S
#define S vfio_region_info_cap_sparse_mmap
	SIZE()
	F(header) F(nr_areas) F(reserved)
#undef S
#define S vfio_region_sparse_mmap_area
	SIZE()
	F(offset) F(size)
#undef S
#define S vfio_irq_info
	/* Later kernels may have more behind it. */
	printf("sizeof %s %zu\n", TEXT(S), offsetof(struct S, count) + sizeof(__u32));
	F(argsz) F(flags) F(index) F(count)
#undef S
#define S vfio_irq_set
	SIZE()
	F(argsz) F(flags) F(index) F(start) F(count)
#undef S
#define S vfio_pci_dependent_device
	SIZE()
	F(group_id) F(segment) F(bus) F(devfn)
#undef S
#define S vfio_pci_hot_reset_info
	SIZE()
	F(argsz) F(flags) F(count)
#undef S
#define S vfio_pci_hot_reset
	SIZE()
	F(argsz) F(flags) F(count)
#undef S
}

static void iommu(void)
{
#define S vfio_iommu_type1_info
	SIZE()
	F(argsz) F(flags) F(iova_pgsizes) F(cap_offset)
#undef S
#define S vfio_iommu_type1_info_cap_iova_range
	SIZE()
	F(header) F(nr_iovas) F(reserved)
#undef S
#define S vfio_iova_range
	SIZE()
	F(start) F(end)
#undef S
#define S vfio_iommu_type1_dma_map
	SIZE()
	F(argsz) F(flags) F(vaddr) F(iova) F(size)
#undef S
#define S vfio_iommu_type1_dma_unmap
	SIZE()
	F(argsz) F(flags) F(iova) F(size)
#undef S
}

static void constants(void)
{
	CONST(VFIO_API_VERSION) CONST(VFIO_TYPE1v2_IOMMU)
	CONST(VFIO_GET_API_VERSION) CONST(VFIO_CHECK_EXTENSION) CONST(VFIO_SET_IOMMU)
	CONST(VFIO_GROUP_GET_STATUS) CONST(VFIO_GROUP_SET_CONTAINER) CONST(VFIO_GROUP_GET_DEVICE_FD)
	CONST(VFIO_DEVICE_GET_INFO) CONST(VFIO_DEVICE_GET_REGION_INFO) CONST(VFIO_DEVICE_GET_IRQ_INFO)
	CONST(VFIO_DEVICE_SET_IRQS) CONST(VFIO_DEVICE_RESET)
	CONST(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO) CONST(VFIO_DEVICE_PCI_HOT_RESET)
	CONST(VFIO_IOMMU_GET_INFO) CONST(VFIO_IOMMU_MAP_DMA) CONST(VFIO_IOMMU_UNMAP_DMA)
	CONST(VFIO_GROUP_FLAGS_VIABLE) CONST(VFIO_DEVICE_FLAGS_RESET) CONST(VFIO_DEVICE_FLAGS_PCI)
	CONST(VFIO_REGION_INFO_FLAG_READ) CONST(VFIO_REGION_INFO_FLAG_WRITE)
	CONST(VFIO_REGION_INFO_FLAG_MMAP) CONST(VFIO_REGION_INFO_FLAG_CAPS)
	CONST(VFIO_REGION_INFO_CAP_SPARSE_MMAP) CONST(VFIO_REGION_INFO_CAP_MSIX_MAPPABLE)
	CONST(VFIO_IRQ_INFO_EVENTFD) CONST(VFIO_IRQ_INFO_MASKABLE) CONST(VFIO_IRQ_INFO_AUTOMASKED)
	CONST(VFIO_IRQ_INFO_NORESIZE) CONST(VFIO_IRQ_SET_DATA_NONE) CONST(VFIO_IRQ_SET_DATA_EVENTFD)
	CONST(VFIO_IRQ_SET_ACTION_MASK) CONST(VFIO_IRQ_SET_ACTION_UNMASK) CONST(VFIO_IRQ_SET_ACTION_TRIGGER)
	CONST(VFIO_PCI_BAR0_REGION_INDEX) CONST(VFIO_PCI_BAR5_REGION_INDEX) CONST(VFIO_PCI_CONFIG_REGION_INDEX)
	CONST(VFIO_PCI_INTX_IRQ_INDEX) CONST(VFIO_PCI_MSI_IRQ_INDEX) CONST(VFIO_PCI_MSIX_IRQ_INDEX)
	CONST(VFIO_IOMMU_INFO_CAPS) CONST(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
	CONST(VFIO_DMA_MAP_FLAG_READ) CONST(VFIO_DMA_MAP_FLAG_WRITE)
}

int main(void)
{
	devices();
	iommu();
	constants();
	return 0;
}
