using MiniVmm.Kvm;
using MiniVmm.Memory;
using MiniVmm.Virtio.Mem;

namespace MiniVmm.Machine;

/// <summary>
/// Memory that comes and goes: what a plugged block takes of the host, of KVM and of the address space. One of KVM's slots
/// is there while any block in it is plugged. One thread at a time.
/// </summary>
/// <remarks>
/// A guest can reach the other blocks of such a slot too, and get new pages there: like a balloon, what is unplugged is an
/// agreement. Devices cannot: to them only plugged blocks are RAM.
/// </remarks>
/// <param name="space">Where the blocks appear.</param>
/// <param name="region">Which they are.</param>
/// <param name="backing">The host's memory behind the whole region, reserved.</param>
/// <param name="warn">Takes a line where the host refuses something, once.</param>
internal sealed class PluggableRam(
    AddressSpace space, PluggableRegion region, RamBacking backing, Action<OptionMessage> warn) : IBlockHost
{
    private readonly int[] _plugged = new int[region.Range.Length / region.SlotSize]; // blocks of each slot
    private readonly bool[] _exists = new bool[region.Range.Length / region.SlotSize]; // for KVM
    private bool _warned;

    /// <summary>The host's memory behind all blocks.</summary>
    public RamBacking Backing => backing;

    public bool TryPlug(GuestRange blocks)
    {
        try
        {
            backing.Prepare(At(blocks).Host, blocks.Length);
            foreach (int slot in Slots(blocks))
            {
                if (_exists[slot])
                    continue;
                space.CreateSlot(At(region.Slot(slot)));
                _exists[slot] = true;
            }

            space.Plug(At(blocks));
        }
        catch (VmmException refused)
        {
            WarnOnce(refused.Text);
            DeleteEmptySlots(blocks);
            Release(blocks);
            return false;
        }

        Count(blocks, 1);
        return true;
    }

    public void Unplug(GuestRange blocks)
    {
        space.Unplug(At(blocks));
        Count(blocks, -1);
        DeleteEmptySlots(blocks);
        Release(blocks);
    }

    private IEnumerable<int> Slots(GuestRange blocks)
    {
        int last = region.SlotOf(blocks.End - 1 - region.Range.Start);
        for (int slot = region.SlotOf(blocks.Start - region.Range.Start); slot <= last; slot++)
            yield return slot;
    }

    private RamSlot At(GuestRange blocks) => new(blocks, backing.Address + (nint)(blocks.Start - region.Range.Start));

    private void Count(GuestRange blocks, int sign)
    {
        for (ulong at = blocks.Start; at < blocks.End; at += region.BlockSize)
            _plugged[region.SlotOf(at - region.Range.Start)] += sign;
    }

    private void DeleteEmptySlots(GuestRange blocks)
    {
        foreach (int slot in Slots(blocks))
        {
            if (_plugged[slot] != 0 || !_exists[slot])
                continue;
            try
            {
                space.DeleteSlot(At(region.Slot(slot)));
                _exists[slot] = false;
            }
            catch (KvmException refused)
            {
                WarnOnce(refused.Message);
            }

            Release(region.Slot(slot)); // the guest may have touched its other blocks
        }
    }

    private void Release(GuestRange range)
    {
        if (!backing.TryRelease(At(range).Host, range.Length, out int error))
            WarnOnce($"{OptionName.Mem}: the host does not take unplugged memory back: {Host.Errno.Explain(error)}");
    }

    private void WarnOnce(OptionMessage what)
    {
        if (_warned)
            return;
        _warned = true;
        warn(what);
    }
}
