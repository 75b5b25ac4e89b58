namespace MiniVmm.Passthrough;

/// <summary>Which parts of a BAR the guest reaches without an exit: those that can be mapped, but for MSI-X's pages.</summary>
internal static class BarLayout
{
    private const ulong PageSize = 4096;

    /// <summary>The parts to be mapped, in whole pages, ascending.</summary>
    /// <param name="region">The BAR.</param>
    /// <param name="trapped">What the guest must not reach itself, from the BAR's start.</param>
    public static IReadOnlyList<RegionArea> Mapped(VfioRegion region, IReadOnlyList<RegionArea> trapped)
    {
        List<RegionArea> mapped = [];
        foreach (RegionArea area in region.Mappable)
        {
            ulong start = RoundUp(area.Offset);
            ulong end = RoundDown(area.End);
            foreach (RegionArea hole in trapped.OrderBy(hole => hole.Offset))
            {
                Add(start, Math.Min(end, RoundDown(hole.Offset)));
                start = Math.Max(start, RoundUp(hole.End));
            }

            Add(start, end);
        }

        return mapped;

        void Add(ulong start, ulong end)
        {
            if (start < end)
                mapped.Add(new(start, end - start));
        }
    }

    /// <summary>What of a BAR belongs to MSI-X.</summary>
    public static IReadOnlyList<RegionArea> Trapped(int bar, MsixLayout? msix)
    {
        List<RegionArea> trapped = [];
        if (msix is not null && msix.TableBar == bar)
            trapped.Add(msix.Table);
        if (msix is not null && msix.PendingBar == bar)
            trapped.Add(msix.Pending);
        return trapped;
    }

    private static ulong RoundDown(ulong offset) => offset & ~(PageSize - 1);

    private static ulong RoundUp(ulong offset) => RoundDown(offset + (PageSize - 1));
}
