using System.Text;
using MiniVmm.Host;
using MiniVmm.Passthrough.Abi;

namespace MiniVmm.Passthrough;

/// <summary>An IOMMU group that VFIO has handed to this process.</summary>
internal sealed unsafe class VfioGroup : IDisposable
{
    private readonly IVfioCalls _calls;

    /// <exception cref="VfioException">Not there, not allowed, or another process has it.</exception>
    public VfioGroup(IVfioCalls calls, int number)
    {
        _calls = calls;
        Number = number;
        string path = PassthroughObstacle.GroupPath(number);
        Fd = VfioException.Check(calls.Open(path), $"open {path}");
    }

    /// <summary>Its number on the host.</summary>
    public int Number { get; }

    public int Fd { get; private set; }

    /// <summary>Puts the group into a container.</summary>
    /// <exception cref="VfioException">ENODEV: the host uses a device of it. Else the call failed.</exception>
    public void Join(int container)
    {
        vfio_group_status status = new() { argsz = (uint)sizeof(vfio_group_status) };
        VfioException.Check(
            _calls.Ioctl(Fd, VfioConstants.VFIO_GROUP_GET_STATUS, (nint)(&status)), "VFIO_GROUP_GET_STATUS");
        if ((status.flags & VfioConstants.VFIO_GROUP_FLAGS_VIABLE) == 0)
            throw new VfioException($"IOMMU group {Number} is not viable", Errno.ENODEV);
        VfioException.Check(
            _calls.Ioctl(Fd, VfioConstants.VFIO_GROUP_SET_CONTAINER, (nint)(&container)), "VFIO_GROUP_SET_CONTAINER");
    }

    /// <summary>Opens a device of the group, which is in a container.</summary>
    /// <exception cref="VfioException">The group has no such device, or it cannot be switched on.</exception>
    public VfioDevice Open(HostPciAddress address)
    {
        byte[] name = Encoding.ASCII.GetBytes($"{address}\0");
        int fd;
        fixed (byte* text = name)
            fd = _calls.Ioctl(Fd, VfioConstants.VFIO_GROUP_GET_DEVICE_FD, (nint)text);
        return new VfioDevice(_calls, VfioException.Check(fd, $"VFIO_GROUP_GET_DEVICE_FD({address})"));
    }

    public void Dispose()
    {
        if (Fd >= 0)
            _calls.Close(Fd);
        Fd = -1;
    }
}
