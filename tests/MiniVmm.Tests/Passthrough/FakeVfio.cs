using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Passthrough;
using MiniVmm.Passthrough.Abi;

namespace MiniVmm.Tests.Passthrough;

/// <summary>A device of <see cref="FakeVfio"/>.</summary>
internal sealed class FakeVfioDevice(string address, int group)
{
    public string Address => address;

    public int Group => group;

    public bool CanReset { get; init; } = true;

    public bool IsPci { get; init; } = true;

    public byte[] Space { get; init; } = new byte[256];

    /// <summary>BAR 0.</summary>
    public byte[] Bar { get; init; } = new byte[0x4000];

    /// <summary>Sparse areas of BAR 0; null for one that is mapped whole.</summary>
    public (ulong Offset, ulong Size)[]? Areas { get; init; }

    /// <summary>How many MSI-X vectors the host gives at most.</summary>
    public int MostVectors { get; init; } = 8;

    /// <summary>Functions that a reset of the bus resets; null where there is no such reset.</summary>
    public (string Address, int Group)[]? BusNeighbours { get; init; }

    /// <summary>"reset", "reset bus 1 2", "irq 2 0: 5 -1", "irq 2 off", in their order.</summary>
    public List<string> Log { get; } = [];
}

/// <summary>A made-up kernel with VFIO. What a test puts into <see cref="Errors"/> fails.</summary>
internal sealed unsafe class FakeVfio : IVfioCalls
{
    private const ulong RegionShift = 40;
    private readonly Dictionary<int, object> _open = []; // path, or a device
    private int _next = 100;

    public List<FakeVfioDevice> Devices { get; } = [];

    /// <summary>Errors by path or by the request's number; positive.</summary>
    public Dictionary<object, int> Errors { get; } = [];

    public HashSet<int> NotViable { get; } = [];

    public List<RamSlot> Mapped { get; } = [];

    public List<GuestRange>? UsableAddresses { get; set; }

    public ulong? LockableMemory { get; set; }

    public int OpenFiles => _open.Count;

    public int Open(string path)
    {
        if (Errors.TryGetValue(path, out int error))
            return -error;
        _open.Add(++_next, path);
        return _next;
    }

    public void Close(int fd) => Assert.True(_open.Remove(fd), $"{fd} is not open");

    public int Ioctl(int fd, uint request, nint argument)
    {
        if (Errors.TryGetValue(request, out int error))
            return -error;
        return _open[fd] switch
        {
            VfioContainer.Path => Container(request, argument),
            string group => Group(int.Parse(group.Split('/')[^1]), request, argument),
            FakeVfioDevice device => Device(device, request, argument),
            _ => -Errno.ENOTTY,
        };
    }

    public nint Map(int fd, ulong offset, ulong length, bool isWritable) => (nint)(0x7000_0000 + offset);

    public void Unmap(nint address, ulong length)
    {
    }

    public nint Read(int fd, ulong offset, Span<byte> data)
    {
        Region(fd, offset).AsSpan((int)(offset & 0xffff_ffff), data.Length).CopyTo(data);
        return data.Length;
    }

    public nint Write(int fd, ulong offset, ReadOnlySpan<byte> data)
    {
        data.CopyTo(Region(fd, offset).AsSpan((int)(offset & 0xffff_ffff)));
        return data.Length;
    }

    private byte[] Region(int fd, ulong offset) => (offset >> (int)RegionShift) == VfioConstants.VFIO_PCI_CONFIG_REGION_INDEX
        ? ((FakeVfioDevice)_open[fd]).Space
        : ((FakeVfioDevice)_open[fd]).Bar;

    private int Container(uint request, nint argument)
    {
        switch (request)
        {
            case VfioConstants.VFIO_GET_API_VERSION:
                return 0;
            case VfioConstants.VFIO_CHECK_EXTENSION:
                return argument == (nint)VfioConstants.VFIO_TYPE1v2_IOMMU ? 1 : 0;
            case VfioConstants.VFIO_SET_IOMMU:
                return 0;
            case VfioConstants.VFIO_IOMMU_GET_INFO:
                return IommuInfo((vfio_iommu_type1_info*)argument);
            case VfioConstants.VFIO_IOMMU_MAP_DMA:
                vfio_iommu_type1_dma_map* map = (vfio_iommu_type1_dma_map*)argument;
                Assert.Equal(3u, map->flags);
                ulong pinned = Mapped.Aggregate(map->size, (sum, slot) => sum + slot.Range.Length);
                if (pinned > (LockableMemory ?? ulong.MaxValue))
                    return -Errno.ENOMEM;
                Mapped.Add(new(new(map->iova, map->size), (nint)map->vaddr));
                return 0;
            case VfioConstants.VFIO_IOMMU_UNMAP_DMA:
                vfio_iommu_type1_dma_unmap* unmap = (vfio_iommu_type1_dma_unmap*)argument;
                GuestRange gone = new(unmap->iova, unmap->size);
                Assert.Equal(1, Mapped.RemoveAll(slot => slot.Range == gone));
                return 0;
            default:
                return -Errno.ENOTTY;
        }
    }

    private int Group(int number, uint request, nint argument)
    {
        switch (request)
        {
            case VfioConstants.VFIO_GROUP_GET_STATUS:
                ((vfio_group_status*)argument)->flags =
                    NotViable.Contains(number) ? 0 : VfioConstants.VFIO_GROUP_FLAGS_VIABLE;
                return 0;
            case VfioConstants.VFIO_GROUP_SET_CONTAINER:
                Assert.Equal(VfioContainer.Path, _open[*(int*)argument]);
                return 0;
            case VfioConstants.VFIO_GROUP_GET_DEVICE_FD:
                string address = Marshal.PtrToStringAnsi(argument)!;
                if (Devices.Find(device => device.Address == address && device.Group == number) is not { } found)
                    return -Errno.ENODEV;
                _open.Add(++_next, found);
                return _next;
            default:
                return -Errno.ENOTTY;
        }
    }

    private int Device(FakeVfioDevice device, uint request, nint argument)
    {
        switch (request)
        {
            case VfioConstants.VFIO_DEVICE_GET_INFO:
                vfio_device_info* info = (vfio_device_info*)argument;
                info->flags = (device.CanReset ? VfioConstants.VFIO_DEVICE_FLAGS_RESET : 0)
                    | (device.IsPci ? VfioConstants.VFIO_DEVICE_FLAGS_PCI : 0);
                (info->num_regions, info->num_irqs) = (9, 5);
                return 0;
            case VfioConstants.VFIO_DEVICE_GET_REGION_INFO:
                return RegionInfo(device, (vfio_region_info*)argument);
            case VfioConstants.VFIO_DEVICE_GET_IRQ_INFO:
                vfio_irq_info* irq = (vfio_irq_info*)argument;
                irq->flags = VfioConstants.VFIO_IRQ_INFO_EVENTFD | VfioConstants.VFIO_IRQ_INFO_NORESIZE;
                irq->count = irq->index switch { 0 => 1u, 1 => 4u, 2 => 8u, _ => 0u };
                return 0;
            case VfioConstants.VFIO_DEVICE_SET_IRQS:
                return SetInterrupts(device, (vfio_irq_set*)argument);
            case VfioConstants.VFIO_DEVICE_RESET:
                device.Log.Add("reset");
                return 0;
            case VfioConstants.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
                return HotResetInfo(device, (vfio_pci_hot_reset_info*)argument);
            case VfioConstants.VFIO_DEVICE_PCI_HOT_RESET:
                vfio_pci_hot_reset* reset = (vfio_pci_hot_reset*)argument;
                int* groups = (int*)(reset + 1);
                device.Log.Add("reset bus " + string.Join(' ', Enumerable.Range(0, (int)reset->count).Select(i => Name(groups[i]))));
                return 0;
            default:
                return -Errno.ENOTTY;
        }

        string Name(int fd) => ((string)_open[fd]).Split('/')[^1];
    }

    private static int SetInterrupts(FakeVfioDevice device, vfio_irq_set* set)
    {
        if ((set->flags & VfioConstants.VFIO_IRQ_SET_DATA_NONE) != 0)
        {
            device.Log.Add($"irq {set->index} off");
            return 0;
        }

        if (set->index == VfioConstants.VFIO_PCI_MSIX_IRQ_INDEX && set->start + set->count > device.MostVectors)
            return device.MostVectors;
        string action = (set->flags & VfioConstants.VFIO_IRQ_SET_ACTION_UNMASK) != 0 ? "unmask" : "irq";
        int* fds = (int*)(set + 1);
        device.Log.Add($"{action} {set->index} {set->start}: "
            + string.Join(' ', new ReadOnlySpan<int>(fds, (int)set->count).ToArray()));
        return 0;
    }

    private static int RegionInfo(FakeVfioDevice device, vfio_region_info* info)
    {
        info->offset = (ulong)info->index << (int)RegionShift;
        info->flags = VfioConstants.VFIO_REGION_INFO_FLAG_READ | VfioConstants.VFIO_REGION_INFO_FLAG_WRITE;
        info->size = info->index switch
        {
            VfioConstants.VFIO_PCI_CONFIG_REGION_INDEX => (ulong)device.Space.Length,
            0 => (ulong)device.Bar.Length,
            _ => 0,
        };
        if (info->index != 0)
            return 0;
        info->flags |= VfioConstants.VFIO_REGION_INFO_FLAG_MMAP;
        if (device.Areas is not { } areas)
            return 0;
        info->flags |= VfioConstants.VFIO_REGION_INFO_FLAG_CAPS;
        int header = sizeof(vfio_region_info) + sizeof(vfio_info_cap_header);
        uint needed = (uint)(header + sizeof(vfio_region_info_cap_sparse_mmap) + (areas.Length * sizeof(vfio_region_sparse_mmap_area)));
        if (info->argsz < needed)
        {
            info->argsz = needed;
            return 0;
        }

        // Another capability first, which nobody asks for.
        info->cap_offset = (uint)sizeof(vfio_region_info);
        *(vfio_info_cap_header*)(info + 1) = new() { id = VfioConstants.VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, next = (uint)header };
        vfio_region_info_cap_sparse_mmap* sparse = (vfio_region_info_cap_sparse_mmap*)((byte*)info + header);
        sparse->header.id = VfioConstants.VFIO_REGION_INFO_CAP_SPARSE_MMAP;
        sparse->nr_areas = (uint)areas.Length;
        vfio_region_sparse_mmap_area* each = (vfio_region_sparse_mmap_area*)(sparse + 1);
        foreach ((ulong offset, ulong size) in areas)
            *each++ = new() { offset = offset, size = size };
        return 0;
    }

    private static int HotResetInfo(FakeVfioDevice device, vfio_pci_hot_reset_info* info)
    {
        if (device.BusNeighbours is not { } neighbours)
            return -Errno.ENODEV;
        uint needed = (uint)(sizeof(vfio_pci_hot_reset_info) + (neighbours.Length * sizeof(vfio_pci_dependent_device)));
        info->count = (uint)neighbours.Length;
        if (info->argsz < needed)
        {
            info->argsz = needed;
            return -Errno.ENOSPC;
        }

        vfio_pci_dependent_device* each = (vfio_pci_dependent_device*)(info + 1);
        foreach ((string text, int group) in neighbours)
        {
            Assert.True(HostPciAddress.TryParse(text, out HostPciAddress address));
            *each++ = new()
            {
                group_id = (uint)group,
                segment = address.Domain,
                bus = address.Bus,
                devfn = (byte)((address.Device << 3) | address.Function),
            };
        }

        return 0;
    }

    private int IommuInfo(vfio_iommu_type1_info* info)
    {
        if (UsableAddresses is not { } ranges)
            return 0;
        info->flags = VfioConstants.VFIO_IOMMU_INFO_CAPS;
        uint needed = (uint)(sizeof(vfio_iommu_type1_info) + sizeof(vfio_iommu_type1_info_cap_iova_range)
            + (ranges.Count * sizeof(vfio_iova_range)));
        if (info->argsz < needed)
        {
            info->argsz = needed;
            return 0;
        }

        info->cap_offset = (uint)sizeof(vfio_iommu_type1_info);
        vfio_iommu_type1_info_cap_iova_range* header = (vfio_iommu_type1_info_cap_iova_range*)(info + 1);
        header->header.id = VfioConstants.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
        header->nr_iovas = (uint)ranges.Count;
        vfio_iova_range* each = (vfio_iova_range*)(header + 1);
        foreach (GuestRange range in ranges)
            *each++ = new() { start = range.Start, end = range.End - 1 };
        return 0;
    }
}
