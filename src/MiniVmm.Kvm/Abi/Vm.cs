using System.Runtime.InteropServices;

namespace MiniVmm.Kvm;

/// <summary>A memory slot (api.rst, KVM_SET_USER_MEMORY_REGION). A size of 0 removes the slot.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_userspace_memory_region
{
    public uint slot;

    /// <summary>KVM_MEM_* bits.</summary>
    public uint flags;
    public ulong guest_phys_addr;

    /// <summary>In bytes; whole pages.</summary>
    public ulong memory_size;
    public ulong userspace_addr;
}

/// <summary>The pages written since the last call (api.rst, KVM_GET_DIRTY_LOG).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public unsafe struct kvm_dirty_log
{
    [FieldOffset(0)] public uint slot;
    [FieldOffset(4)] public uint padding1;

    /// <summary>One bit a page, in whole 64-bit words.</summary>
    [FieldOffset(8)] public void* dirty_bitmap;
    [FieldOffset(8)] public ulong padding2;
}

/// <summary>An argument block of KVM_ENABLE_CAP.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_enable_cap
{
    public uint cap;
    public uint flags;
    public fixed ulong args[4];
    public fixed byte pad[64];
}

/// <summary>The guest's kvmclock (api.rst, KVM_GET_CLOCK), in nanoseconds.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_clock_data
{
    public ulong clock;

    /// <summary>KVM_CLOCK_* bits: which of the other fields hold something.</summary>
    public uint flags;
    public uint pad0;
    public ulong realtime;
    public ulong host_tsc;
    public fixed uint pad[4];
}

/// <summary>An eventfd that a guest write signals without an exit (api.rst, KVM_IOEVENTFD).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_ioeventfd
{
    public ulong datamatch;
    public ulong addr;

    /// <summary>1, 2, 4 or 8 bytes; 0 for any.</summary>
    public uint len;
    public int fd;

    /// <summary>KVM_IOEVENTFD_FLAG_* bits.</summary>
    public uint flags;
    public fixed byte pad[36];
}

/// <summary>Addresses whose writes KVM queues in the ring (api.rst, KVM_REGISTER_COALESCED_MMIO).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct kvm_coalesced_mmio_zone
{
    [FieldOffset(0)] public ulong addr;
    [FieldOffset(8)] public uint size;
    [FieldOffset(12)] public uint pad;

    /// <summary>1 for I/O ports, 0 for memory.</summary>
    [FieldOffset(12)] public uint pio;
}

/// <summary>One queued write.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
public unsafe struct kvm_coalesced_mmio
{
    [FieldOffset(0)] public ulong phys_addr;
    [FieldOffset(8)] public uint len;
    [FieldOffset(12)] public uint pad;
    [FieldOffset(12)] public uint pio;
    [FieldOffset(16)] public fixed byte data[8];
}

/// <summary>
/// Header of the ring at page KVM_COALESCED_MMIO_PAGE_OFFSET of the vCPU's mapping; the entries fill the
/// rest of that page.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_coalesced_mmio_ring
{
    /// <summary>Next entry to read; user space moves it.</summary>
    public uint first;

    /// <summary>Next entry to fill; the kernel moves it.</summary>
    public uint last;
}

/// <summary>Start of what a statistics fd reads (api.rst, KVM_GET_STATS_FD).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_stats_header
{
    public uint flags;

    /// <summary>Bytes of every name with its NUL.</summary>
    public uint name_size;
    public uint num_desc;
    public uint id_offset;
    public uint desc_offset;
    public uint data_offset;
}

/// <summary>Header before <see cref="kvm_stats_header.name_size"/> bytes of name.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_stats_desc
{
    /// <summary>KVM_STATS_TYPE_*, KVM_STATS_UNIT_* and KVM_STATS_BASE_*.</summary>
    public uint flags;
    public short exponent;

    /// <summary>Number of 64-bit values.</summary>
    public ushort size;
    public uint offset;
    public uint bucket_size;
}
