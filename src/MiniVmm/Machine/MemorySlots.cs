using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>Guest RAM as KVM takes it: in memory slots of limited size.</summary>
internal static class MemorySlots
{
    /// <summary>
    /// Most bytes of one slot. KVM takes 2^31 - 1 pages (KVM_MEM_MAX_NR_PAGES), just under 8 TiB; half of that keeps the
    /// parts aligned to any huge page.
    /// </summary>
    public const ulong MaxBytes = 4096 * MemoryLayout.GiB;

    /// <summary>The same RAM in parts that fit into a slot each.</summary>
    public static IEnumerable<RamSlot> Split(IEnumerable<RamSlot> ram)
    {
        foreach (RamSlot slot in ram)
        {
            for (ulong done = 0; done < slot.Range.Length; done += MaxBytes)
            {
                ulong length = Math.Min(MaxBytes, slot.Range.Length - done);
                yield return new(new(slot.Range.Start + done, length), slot.Host + (nint)done);
            }
        }
    }

    /// <summary>Gives all of it to a VM.</summary>
    /// <exception cref="HostLimitException">KVM does not take it.</exception>
    public static void Set(KvmVm vm, GuestMemory memory)
    {
        uint number = 0;
        foreach (RamSlot part in Split(memory.Slots))
        {
            try
            {
                vm.SetUserMemoryRegion(number++, part.Range.Start, part.Range.Length, part.Host);
            }
            catch (KvmException refused)
            {
                string why = refused.Errno switch
                {
                    Errno.ENOMEM => "; the host's kernel lacks the memory for its own tables of these pages; give less --mem",
                    Errno.EINVAL => "; this KVM has no such guest addresses, or no such large slot; give less --mem",
                    _ => "",
                };
                throw new HostLimitException(
                    $"--mem: KVM does not take {ByteSize.Format(part.Range.Length)} of RAM at 0x{part.Range.Start:x}: "
                    + $"{Errno.Explain(refused.Errno)}{why}",
                    refused);
            }
        }
    }
}
