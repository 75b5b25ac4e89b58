using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Passthrough.Abi;

namespace MiniVmm.Passthrough;

/// <summary>
/// A device that VFIO has handed to this process. Closing it, which the kernel does for a process that is killed, has the
/// kernel stop its DMA, reset it where it can, and give it back.
/// </summary>
internal sealed unsafe class VfioDevice : IDisposable
{
    private readonly IVfioCalls _calls;

    /// <summary>Owns the file descriptor.</summary>
    /// <exception cref="VfioException">It is no PCI device, or does not say what it has.</exception>
    public VfioDevice(IVfioCalls calls, int fd)
    {
        _calls = calls;
        Fd = fd;
        try
        {
            vfio_device_info info = new() { argsz = (uint)sizeof(vfio_device_info) };
            Must("VFIO_DEVICE_GET_INFO", VfioConstants.VFIO_DEVICE_GET_INFO, (nint)(&info));
            if ((info.flags & VfioConstants.VFIO_DEVICE_FLAGS_PCI) == 0)
                throw new VfioException("VFIO_DEVICE_GET_INFO", Errno.ENODEV, "it is no PCI device");
            CanReset = (info.flags & VfioConstants.VFIO_DEVICE_FLAGS_RESET) != 0;
            Configuration = ReadRegion(VfioConstants.VFIO_PCI_CONFIG_REGION_INDEX);
            Bars = [.. Enumerable.Range(0, 6).Select(bar => ReadRegion(VfioConstants.VFIO_PCI_BAR0_REGION_INDEX + (uint)bar))];
            Intx = ReadInterrupt(VfioConstants.VFIO_PCI_INTX_IRQ_INDEX, info.num_irqs);
            Msi = ReadInterrupt(VfioConstants.VFIO_PCI_MSI_IRQ_INDEX, info.num_irqs);
            Msix = ReadInterrupt(VfioConstants.VFIO_PCI_MSIX_IRQ_INDEX, info.num_irqs);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public int Fd { get; private set; }

    /// <summary>Whether the device alone can be reset.</summary>
    public bool CanReset { get; }

    /// <summary>Its configuration space: 256 bytes, or 4096 for PCI Express.</summary>
    public VfioRegion Configuration { get; }

    /// <summary>BARs 0 to 5; the upper half of a 64-bit BAR has size 0.</summary>
    public IReadOnlyList<VfioRegion> Bars { get; }

    public VfioInterrupt Intx { get; }

    public VfioInterrupt Msi { get; }

    public VfioInterrupt Msix { get; }

    /// <summary>Reads from a region; all bits are set where the device, or the kernel, does not answer. Allocates nothing.</summary>
    public void Read(VfioRegion region, ulong offset, Span<byte> data)
    {
        if (_calls.Read(Fd, region.FileOffset + offset, data) != data.Length)
            data.Fill(0xff);
    }

    /// <summary>Writes to a region; without effect where the device, or the kernel, refuses. Allocates nothing.</summary>
    public void Write(VfioRegion region, ulong offset, ReadOnlySpan<byte> data) =>
        _ = _calls.Write(Fd, region.FileOffset + offset, data);

    /// <summary>Maps part of a region into this process.</summary>
    /// <exception cref="VfioException">It cannot be mapped.</exception>
    public nint Map(VfioRegion region, RegionArea area)
    {
        nint address = _calls.Map(Fd, region.FileOffset + area.Offset, area.Length, region.IsWritable);
        return address is >= 0 or < -4095 ? address : throw new VfioException($"mmap BAR {region.Index}", address);
    }

    /// <summary>Takes back <see cref="Map"/>.</summary>
    public void Unmap(nint address, RegionArea area) => _calls.Unmap(address, area.Length);

    /// <summary>Resets the device alone.</summary>
    /// <exception cref="VfioException">It cannot be.</exception>
    public void Reset() => Must("VFIO_DEVICE_RESET", VfioConstants.VFIO_DEVICE_RESET, 0);

    /// <summary>Has interrupts signal eventfds from now on; -1 for none. The first such call switches their kind on.</summary>
    /// <returns>0; or how many vectors there are, where those are fewer and none is set.</returns>
    /// <exception cref="VfioException">Another kind is on, or the host has no vectors left.</exception>
    public int SetTriggers(VfioInterrupt kind, uint start, ReadOnlySpan<int> eventFds) =>
        SetInterrupts(kind, VfioConstants.VFIO_IRQ_SET_ACTION_TRIGGER, start, eventFds);

    /// <summary>Has an eventfd unmask INTx, which each of its interrupts masks; -1 for none.</summary>
    /// <exception cref="VfioException">INTx is off.</exception>
    public void SetUnmask(int eventFd) =>
        SetInterrupts(Intx, VfioConstants.VFIO_IRQ_SET_ACTION_UNMASK, 0, [eventFd]);

    /// <summary>Switches a kind of interrupt off; without effect where it is.</summary>
    public void Disable(VfioInterrupt kind)
    {
        vfio_irq_set set = new()
        {
            argsz = (uint)sizeof(vfio_irq_set),
            flags = VfioConstants.VFIO_IRQ_SET_DATA_NONE | VfioConstants.VFIO_IRQ_SET_ACTION_TRIGGER,
            index = kind.Index,
        };
        _ = _calls.Ioctl(Fd, VfioConstants.VFIO_DEVICE_SET_IRQS, (nint)(&set));
    }

    /// <summary>The functions that a reset of the device's bus resets; null where there is no such reset.</summary>
    /// <exception cref="VfioException">The call failed.</exception>
    public IReadOnlyList<(HostPciAddress Address, int Group)>? BusNeighbours()
    {
        byte[] answer;
        try
        {
            answer = Ask(
                VfioConstants.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
                "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO",
                new vfio_pci_hot_reset_info());
        }
        catch (VfioException e) when (e.Errno == Errno.ENODEV)
        {
            return null;
        }

        List<(HostPciAddress, int)> functions = [];
        int at = sizeof(vfio_pci_hot_reset_info);
        uint count = MemoryMarshal.Read<vfio_pci_hot_reset_info>(answer).count;
        for (uint i = 0; i < count && VfioAnswer.TryRead(answer, at, out vfio_pci_dependent_device device); i++)
        {
            functions.Add((
                new(device.segment, device.bus, (byte)(device.devfn >> 3), (byte)(device.devfn & 7)), (int)device.group_id));
            at += sizeof(vfio_pci_dependent_device);
        }

        return functions;
    }

    /// <summary>Resets the device's whole bus, all groups of which are ours.</summary>
    /// <exception cref="VfioException">It cannot be.</exception>
    public void ResetBus(IReadOnlyCollection<VfioGroup> groups)
    {
        vfio_pci_hot_reset header = new() { count = (uint)groups.Count };
        header.argsz = (uint)(sizeof(vfio_pci_hot_reset) + (groups.Count * sizeof(int)));
        SendWithNumbers(
            "VFIO_DEVICE_PCI_HOT_RESET", VfioConstants.VFIO_DEVICE_PCI_HOT_RESET, header, [.. groups.Select(group => group.Fd)]);
    }

    public void Dispose()
    {
        if (Fd >= 0)
            _calls.Close(Fd);
        Fd = -1;
    }

    private int SetInterrupts(VfioInterrupt kind, uint action, uint start, ReadOnlySpan<int> eventFds)
    {
        vfio_irq_set header = new()
        {
            argsz = (uint)(sizeof(vfio_irq_set) + (eventFds.Length * sizeof(int))),
            flags = VfioConstants.VFIO_IRQ_SET_DATA_EVENTFD | action,
            index = kind.Index,
            start = start,
            count = (uint)eventFds.Length,
        };
        return SendWithNumbers("VFIO_DEVICE_SET_IRQS", VfioConstants.VFIO_DEVICE_SET_IRQS, header, eventFds);
    }

    /// <summary>A request whose structure has 32-bit numbers behind it.</summary>
    private int SendWithNumbers<T>(string operation, uint request, T header, ReadOnlySpan<int> numbers)
        where T : unmanaged
    {
        byte[] argument = new byte[sizeof(T) + (numbers.Length * sizeof(int))];
        MemoryMarshal.Write(argument, header);
        MemoryMarshal.AsBytes(numbers).CopyTo(argument.AsSpan(sizeof(T)));
        fixed (byte* bytes = argument)
            return Must(operation, request, (nint)bytes);
    }

    private VfioRegion ReadRegion(uint index)
    {
        byte[] answer = Ask(
            VfioConstants.VFIO_DEVICE_GET_REGION_INFO,
            $"VFIO_DEVICE_GET_REGION_INFO({index})",
            new vfio_region_info { index = index });
        vfio_region_info info = MemoryMarshal.Read<vfio_region_info>(answer);
        return new(
            index,
            info.size,
            info.offset,
            (info.flags & VfioConstants.VFIO_REGION_INFO_FLAG_WRITE) != 0,
            (info.flags & VfioConstants.VFIO_REGION_INFO_FLAG_MMAP) != 0 ? Mappable(answer, info) : []);
    }

    private static IReadOnlyList<RegionArea> Mappable(byte[] answer, in vfio_region_info info)
    {
        if ((info.flags & VfioConstants.VFIO_REGION_INFO_FLAG_CAPS) == 0
            || VfioAnswer.Capability(answer, info.cap_offset, VfioConstants.VFIO_REGION_INFO_CAP_SPARSE_MMAP) is not { } at
            || !VfioAnswer.TryRead(answer, at, out vfio_region_info_cap_sparse_mmap header))
        {
            return [new(0, info.size)];
        }

        List<RegionArea> areas = [];
        int next = at + sizeof(vfio_region_info_cap_sparse_mmap);
        for (uint i = 0; i < header.nr_areas && VfioAnswer.TryRead(answer, next, out vfio_region_sparse_mmap_area area); i++)
        {
            if (area.size > 0 && area.offset < info.size && area.size <= info.size - area.offset)
                areas.Add(new(area.offset, area.size));
            next += sizeof(vfio_region_sparse_mmap_area);
        }

        return [.. areas.OrderBy(area => area.Offset)];
    }

    private VfioInterrupt ReadInterrupt(uint index, uint kinds)
    {
        if (index >= kinds)
            return new(index, 0, IsFixed: true);
        vfio_irq_info info = new() { argsz = (uint)sizeof(vfio_irq_info), index = index };
        Must($"VFIO_DEVICE_GET_IRQ_INFO({index})", VfioConstants.VFIO_DEVICE_GET_IRQ_INFO, (nint)(&info));
        bool canSignal = (info.flags & VfioConstants.VFIO_IRQ_INFO_EVENTFD) != 0;
        return new(index, canSignal ? info.count : 0, (info.flags & VfioConstants.VFIO_IRQ_INFO_NORESIZE) != 0);
    }

    private byte[] Ask<T>(uint request, string operation, T question)
        where T : unmanaged => VfioAnswer.Ask(_calls, Fd, request, operation, question);

    private int Must(string operation, uint request, nint argument) =>
        VfioException.Check(_calls.Ioctl(Fd, request, argument), operation);
}
