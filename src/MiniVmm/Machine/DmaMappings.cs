using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Passthrough;

namespace MiniVmm.Machine;

/// <summary>Lets passed devices reach all of guest RAM, at the guest's own addresses, and nothing else.</summary>
/// <param name="container">The devices'.</param>
/// <param name="subject">The option that errors name.</param>
/// <param name="ram">Bytes of guest RAM that the machine starts with.</param>
/// <param name="lockable">Bytes that this process may lock; null for no limit.</param>
internal sealed class DmaMappings(VfioContainer container, NamedOption subject, ulong ram, ulong? lockable)
    : IAddressSpaceListener
{
    private ulong _mapped;

    /// <exception cref="HostLimitException">The IOMMU has no such addresses, or not so much memory may be locked.</exception>
    public void Mapped(RamSlot ram)
    {
        GuestRange range = ram.Range;
        if (container.UsableAddresses() is { } usable && !usable.Any(each => each.Contains(range.Start, range.Length)))
        {
            throw new HostLimitException($"{subject}: the host's IOMMU cannot give it guest RAM at {range}; "
                + $"it has {string.Join(", ", usable)}; give less {OptionName.Mem}");
        }

        try
        {
            container.MapDma(ram);
            _mapped += range.Length;
        }
        catch (VfioException e)
        {
            throw Refusal(e, range.Length);
        }
    }

    public void Unmapping(RamSlot ram)
    {
        container.UnmapDma(ram.Range);
        _mapped -= ram.Range.Length;
    }

    private HostLimitException Refusal(VfioException e, ulong more)
    {
        ulong needed = Math.Max(ram, _mapped + more);
        if (e.Errno != Errno.ENOMEM || lockable is not { } limit || needed <= limit)
            return new($"{subject}: guest RAM cannot be made reachable for it: {e.Message}", e);
        const ulong KiB = MemoryLayout.KiB;
        ulong missing = needed - limit;
        return new(
            $"{subject}: all of guest RAM is locked in memory for its DMA, and this process may lock "
                + $"{ByteSize.Format(limit)} (RLIMIT_MEMLOCK): {ByteSize.Format(missing)} too little; "
                + $"raise it (ulimit -l {(needed + (KiB - 1)) / KiB}, or LimitMEMLOCK= of a systemd unit)",
            e);
    }
}
