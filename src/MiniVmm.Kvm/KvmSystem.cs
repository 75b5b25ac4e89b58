using System.Runtime.InteropServices;
using System.Text;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Kvm;

/// <summary>/dev/kvm itself (api.rst, "System ioctls").</summary>
public sealed unsafe class KvmSystem : IDisposable
{
    private readonly FileHandle _handle;
    private int _fd;

    private KvmSystem(int fd)
    {
        _fd = fd;
        _handle = FileHandle.Hold(fd);
    }

    /// <exception cref="ObjectDisposedException">Closed.</exception>
    public int Fd => FileHandle.Open(_fd, this);

    /// <summary>Bytes of a vCPU's mapping: kvm_run, the port I/O page, the coalesced ring.</summary>
    public int VcpuMmapSize { get; private set; }

    /// <summary>Opens KVM and checks that it speaks API version 12, the only one there is.</summary>
    /// <exception cref="KvmException">Not there, not allowed, or not KVM.</exception>
    public static KvmSystem Open(string path = "/dev/kvm")
    {
        ArgumentNullException.ThrowIfNull(path);
        int fd = OpenFile(path);
        if (fd < 0)
            throw new KvmException($"open {path}", -fd);
        var system = new KvmSystem(fd);
        try
        {
            int version = KvmCall.Must("KVM_GET_API_VERSION", fd, KvmIoctl.KVM_GET_API_VERSION, 0);
            if (version != KvmConstants.KVM_API_VERSION)
            {
                throw KvmException.Unusable(
                    "KVM_GET_API_VERSION", $"version {version} instead of 12", "use Linux 2.6.22 or newer");
            }

            system.VcpuMmapSize = KvmCall.Must("KVM_GET_VCPU_MMAP_SIZE", fd, KvmIoctl.KVM_GET_VCPU_MMAP_SIZE, 0);
            if (system.VcpuMmapSize < sizeof(kvm_run))
            {
                throw KvmException.Unusable(
                    "KVM_GET_VCPU_MMAP_SIZE",
                    $"{system.VcpuMmapSize} bytes do not hold kvm_run",
                    "use Linux 4.17 or newer");
            }

            return system;
        }
        catch
        {
            system.Dispose();
            throw;
        }
    }

    /// <summary>What this KVM says to a capability: 0 for no, 1 or a limit for yes (KVM_CHECK_EXTENSION).</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public int CheckExtension(KvmCapability capability) =>
        KvmCall.Must("KVM_CHECK_EXTENSION", Fd, KvmIoctl.KVM_CHECK_EXTENSION, (nuint)(int)capability);

    /// <summary>Makes an empty virtual machine: no memory, no vCPU, no interrupt controller.</summary>
    /// <exception cref="KvmException">No memory, no more files, or the processor is taken.</exception>
    public KvmVm CreateVm() =>
        new(KvmCall.Must("KVM_CREATE_VM", Fd, KvmIoctl.KVM_CREATE_VM, 0), VcpuMmapSize);

    /// <summary>The CPUID leaves that this host and KVM can give a guest (api.rst, KVM_GET_SUPPORTED_CPUID).</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_cpuid_entry2[] GetSupportedCpuid() =>
        CpuidList.Get("KVM_GET_SUPPORTED_CPUID", Fd, KvmIoctl.KVM_GET_SUPPORTED_CPUID);

    /// <summary>
    /// The leaves of Hyper-V's interface that KVM can give a guest; needs KVM_CAP_SYS_HYPERV_CPUID (api.rst,
    /// KVM_GET_SUPPORTED_HV_CPUID).
    /// </summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_cpuid_entry2[] GetSupportedHyperVCpuid() =>
        CpuidList.Get("KVM_GET_SUPPORTED_HV_CPUID", Fd, KvmIoctl.KVM_GET_SUPPORTED_HV_CPUID);

    /// <summary>The MSRs that KVM saves and restores for a guest (api.rst, KVM_GET_MSR_INDEX_LIST).</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public uint[] GetMsrIndexList()
    {
        // The first call has no room and is told how much there must be.
        kvm_msr_list none = default;
        int result = KvmCall.Try(Fd, KvmIoctl.KVM_GET_MSR_INDEX_LIST, &none);
        if (result < 0 && result != -Errno.E2BIG)
            throw new KvmException("KVM_GET_MSR_INDEX_LIST", -result);
        uint[] buffer = new uint[none.nmsrs + 1];
        buffer[0] = none.nmsrs;
        fixed (uint* list = buffer)
            KvmCall.Must("KVM_GET_MSR_INDEX_LIST", Fd, KvmIoctl.KVM_GET_MSR_INDEX_LIST, list);
        return buffer[1..];
    }

    /// <summary>What a guest may be given of an MSR that lists features (api.rst, KVM_GET_MSRS on the system's file).</summary>
    /// <returns>Its value; null where KVM has no such MSR for guests.</returns>
    /// <exception cref="KvmException">The call failed.</exception>
    public ulong? GetFeatureMsr(uint index)
    {
        // The header and one entry, in 64-bit words: nmsrs; index; data.
        ulong* list = stackalloc ulong[3] { 1, index, 0 };
        int count = KvmCall.Must("KVM_GET_MSRS", Fd, KvmIoctl.KVM_GET_MSRS, list);
        return count == 1 ? list[2] : null;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _fd, -1) >= 0)
            _handle.Drop();
    }

    /// <returns>The fd, or the errno negated.</returns>
    private static int OpenFile(string path)
    {
        byte[] name = Encoding.UTF8.GetBytes(path + '\0');
        while (true)
        {
            int fd;
            fixed (byte* p = name)
                fd = LibC.open(p, LibC.O_RDWR | LibC.O_CLOEXEC, 0);
            if (fd >= 0)
                return fd;
            int errno = Marshal.GetLastPInvokeError();
            if (errno != Errno.EINTR)
                return -errno;
        }
    }
}
