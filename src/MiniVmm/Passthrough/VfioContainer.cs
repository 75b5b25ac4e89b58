using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Passthrough.Abi;

namespace MiniVmm.Passthrough;

/// <summary>
/// A VFIO container: IOMMU groups, and one table of the addresses that their devices' DMA reaches. Devices are closed
/// before it.
/// </summary>
internal sealed unsafe class VfioContainer : IDisposable
{
    public const string Path = "/dev/vfio/vfio";

    private readonly IVfioCalls _calls;
    private readonly Dictionary<int, VfioGroup> _groups = [];
    private int _fd;

    /// <exception cref="VfioException">No VFIO, or one without IOMMUs of x86's kind.</exception>
    public VfioContainer(IVfioCalls calls)
    {
        _calls = calls;
        _fd = calls.Open(Path);
        if (_fd < 0)
        {
            throw new VfioException($"open {Path}", _fd, _fd switch
            {
                -Errno.ENOENT or -Errno.ENODEV => "run as root: modprobe vfio-pci",
                -Errno.EACCES or -Errno.EPERM => $"run as root: chmod 666 {Path}",
                _ => null,
            });
        }

        try
        {
            int version = _calls.Ioctl(_fd, VfioConstants.VFIO_GET_API_VERSION, 0);
            if (version != VfioConstants.VFIO_API_VERSION)
                throw new VfioException("VFIO_GET_API_VERSION", Errno.EINVAL, "this VFIO is of another kind than Linux' own");
            if (_calls.Ioctl(_fd, VfioConstants.VFIO_CHECK_EXTENSION, (nint)VfioConstants.VFIO_TYPE1v2_IOMMU) <= 0)
                throw new VfioException("VFIO_TYPE1v2_IOMMU", Errno.ENODEV, "run as root: modprobe vfio_iommu_type1");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The groups that are in it.</summary>
    public IReadOnlyCollection<VfioGroup> Groups => _groups.Values;

    /// <summary>Takes a group over, or gives the one that is there.</summary>
    /// <exception cref="VfioException">It is not to be had; ENODEV where it is not viable.</exception>
    public VfioGroup Add(int number)
    {
        if (_groups.TryGetValue(number, out VfioGroup? known))
            return known;
        VfioGroup group = new(_calls, number);
        try
        {
            group.Join(_fd);
            if (_groups.Count == 0)
                SetIommu();
        }
        catch
        {
            group.Dispose();
            throw;
        }

        _groups.Add(number, group);
        return group;
    }

    /// <summary>Lets the devices reach memory of this process, which is pinned for as long as they can.</summary>
    /// <param name="ram">Where the devices see it, which is where the guest does; whole pages.</param>
    /// <exception cref="VfioException">Not so much may be locked (ENOMEM), or there is something there already.</exception>
    public void MapDma(RamSlot ram)
    {
        vfio_iommu_type1_dma_map map = new()
        {
            argsz = (uint)sizeof(vfio_iommu_type1_dma_map),
            flags = VfioConstants.VFIO_DMA_MAP_FLAG_READ | VfioConstants.VFIO_DMA_MAP_FLAG_WRITE,
            vaddr = (ulong)ram.Host,
            iova = ram.Range.Start,
            size = ram.Range.Length,
        };
        VfioException.Check(
            _calls.Ioctl(_fd, VfioConstants.VFIO_IOMMU_MAP_DMA, (nint)(&map)), $"VFIO_IOMMU_MAP_DMA({ram.Range})");
    }

    /// <summary>Takes back <see cref="MapDma"/>.</summary>
    /// <exception cref="VfioException">The call failed.</exception>
    public void UnmapDma(GuestRange range)
    {
        vfio_iommu_type1_dma_unmap unmap = new()
        {
            argsz = (uint)sizeof(vfio_iommu_type1_dma_unmap),
            iova = range.Start,
            size = range.Length,
        };
        VfioException.Check(
            _calls.Ioctl(_fd, VfioConstants.VFIO_IOMMU_UNMAP_DMA, (nint)(&unmap)), $"VFIO_IOMMU_UNMAP_DMA({range})");
    }

    /// <summary>The addresses that all devices of the container can use; null where the kernel does not say (before 5.4).</summary>
    /// <exception cref="VfioException">The call failed.</exception>
    public IReadOnlyList<GuestRange>? UsableAddresses()
    {
        byte[] answer = VfioAnswer.Ask(
            _calls, _fd, VfioConstants.VFIO_IOMMU_GET_INFO, "VFIO_IOMMU_GET_INFO", new vfio_iommu_type1_info());
        vfio_iommu_type1_info info = MemoryMarshal.Read<vfio_iommu_type1_info>(answer);
        if ((info.flags & VfioConstants.VFIO_IOMMU_INFO_CAPS) == 0
            || VfioAnswer.Capability(answer, info.cap_offset, VfioConstants.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) is not { } at
            || !VfioAnswer.TryRead(answer, at, out vfio_iommu_type1_info_cap_iova_range header))
        {
            return null;
        }

        List<GuestRange> ranges = [];
        int next = at + sizeof(vfio_iommu_type1_info_cap_iova_range);
        for (uint i = 0; i < header.nr_iovas && VfioAnswer.TryRead(answer, next, out vfio_iova_range range); i++)
        {
            // The length of all 2^64 addresses does not fit; nobody has RAM in the last page.
            ranges.Add(new(range.start, range.end - range.start + (range.end == ulong.MaxValue ? 0UL : 1)));
            next += sizeof(vfio_iova_range);
        }

        return ranges;
    }

    public void Dispose()
    {
        foreach (VfioGroup group in _groups.Values)
            group.Dispose();
        _groups.Clear();
        if (_fd >= 0)
            _calls.Close(_fd);
        _fd = -1;
    }

    private void SetIommu()
    {
        int result = _calls.Ioctl(_fd, VfioConstants.VFIO_SET_IOMMU, (nint)VfioConstants.VFIO_TYPE1v2_IOMMU);
        VfioException.Check(result, "VFIO_SET_IOMMU", result == -Errno.EPERM
            ? "this host's IOMMU does not remap interrupts; where you trust the guest, run as root: "
                + "echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
            : null);
    }
}
