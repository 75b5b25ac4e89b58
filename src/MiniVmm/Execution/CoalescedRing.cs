using MiniVmm.Devices;
using MiniVmm.Kvm;

namespace MiniVmm.Execution;

/// <summary>
/// The writes that KVM queued instead of leaving KVM_RUN for each (api.rst, KVM_REGISTER_COALESCED_MMIO): one page of
/// a vCPU's mapping, filled by the kernel and emptied here, in the order of the writes. All vCPUs of a VM share it,
/// so that only one thread at a time may drain.
/// </summary>
/// <param name="ring">Its header; the entries follow.</param>
internal sealed unsafe class CoalescedRing(kvm_coalesced_mmio_ring* ring)
{
    private const int PageSize = 4096;

    /// <summary>Entries in the ring; one of them always stays free.</summary>
    public static uint Capacity { get; } =
        (uint)((PageSize - sizeof(kvm_coalesced_mmio_ring)) / sizeof(kvm_coalesced_mmio));

    private readonly kvm_coalesced_mmio* _entries = (kvm_coalesced_mmio*)(ring + 1);

    /// <summary>The ring of a vCPU's mapping.</summary>
    /// <param name="vcpu">The vCPU, mapped.</param>
    /// <param name="page">What KVM says to KVM_CAP_COALESCED_MMIO: the page's number in the mapping.</param>
    /// <exception cref="ArgumentException">The page does not lie in the mapping.</exception>
    public static CoalescedRing Of(KvmVcpu vcpu, int page)
    {
        ArgumentNullException.ThrowIfNull(vcpu);
        return page > 0 && (page + 1) * (long)PageSize <= vcpu.RunSize
            ? new((kvm_coalesced_mmio_ring*)((byte*)vcpu.Run + (page * PageSize)))
            : throw new ArgumentException($"page {page} is not in a mapping of {vcpu.RunSize} bytes", nameof(page));
    }

    /// <summary>Hands every queued write to its device. Allocates nothing.</summary>
    /// <returns>How many there were.</returns>
    public uint Drain(Bus ports, Bus memory)
    {
        uint capacity = Capacity;
        uint first = ring->first;
        uint last = Volatile.Read(ref ring->last);
        uint drained = 0;

        // The kernel's own indices, never the guest's; checked all the same, as everything outside of this process.
        while (first != last && first < capacity && last < capacity)
        {
            kvm_coalesced_mmio* entry = _entries + first;
            int length = (int)Math.Clamp(entry->len, 1, 8);
            ReadOnlySpan<byte> data = new(entry->data, length);
            if (entry->pio != 0)
                ports.Write(entry->phys_addr, data);
            else
                memory.Write(entry->phys_addr, data);
            first = (first + 1) % capacity;
            Volatile.Write(ref ring->first, first);
            drained++;
            if (first == last)
                last = Volatile.Read(ref ring->last);
        }

        return drained;
    }
}
