using MiniVmm.Memory;

namespace MiniVmm.Boot.Limine;

/// <summary>Types of the memory map (Limine boot protocol, "Memory Map Feature").</summary>
internal enum LimineMemoryType : ulong
{
    Usable = 0,
    Reserved = 1,
    AcpiReclaimable = 2,
    AcpiNvs = 3,
    LoaderReclaimable = 5,
    ExecutableAndModules = 6,
    Framebuffer = 7,
    ReservedMapped = 8,
}

/// <summary>One line of the map.</summary>
internal readonly record struct LimineMemoryEntry(GuestRange Range, LimineMemoryType Type);

/// <summary>Which memory is what to an executable, and which of it the direct map has. Pure.</summary>
internal static class LimineMemory
{
    private const ulong Page = 4 * MemoryLayout.KiB;

    /// <summary>The map, ascending, without overlaps.</summary>
    /// <param name="plan">All that is placed.</param>
    /// <param name="kept">Where the executable and its modules lie.</param>
    /// <param name="framebuffer">The framebuffer, above low RAM; null for none.</param>
    /// <param name="revision">The base revision.</param>
    public static List<LimineMemoryEntry> Map(
        LoadPlan plan, IReadOnlyList<GuestRange> kept, FramebufferInfo? framebuffer, ulong revision)
    {
        List<LimineMemoryEntry> map = [];
        List<LimineMemoryEntry> taken =
        [
            .. kept.Select(range => new LimineMemoryEntry(Outward(range), LimineMemoryType.ExecutableAndModules)),
            .. plan.Segments.Where(segment => !kept.Any(range => range.Contains(segment.Address, segment.MemorySize)))
                .Select(segment => new LimineMemoryEntry(Outward(segment.Range), LimineMemoryType.LoaderReclaimable)),
        ];
        taken.Sort((a, b) => a.Range.Start.CompareTo(b.Range.Start));
        foreach (E820Entry entry in plan.Memory.E820)
        {
            if (entry.Type == E820Type.Ram)
                Split(map, entry.Range, taken);
            else
                Append(map, entry.Range, TypeOf(entry.Type, revision));
        }

        if (framebuffer is not null)
        {
            GuestRange range = Outward(new(framebuffer.Address, (ulong)framebuffer.Length));
            int behind = map.FindIndex(entry => entry.Range.Start > range.Start);
            map.Insert(behind < 0 ? map.Count : behind, new(range, LimineMemoryType.Framebuffer));
        }

        return map;
    }

    /// <summary>The physical ranges of the direct map, ascending, whole pages, as far apart as they can be.</summary>
    /// <param name="memory">The machine's memory.</param>
    /// <param name="revision">The base revision.</param>
    public static List<GuestRange> Mapped(GuestMemoryMap memory, ulong revision)
    {
        List<GuestRange> ranges = [];
        if (revision < 3)
            ranges.Add(new(0, MemoryLayout.HighRam));
        foreach (E820Entry entry in memory.E820)
        {
            if (entry.Type == E820Type.Reserved && revision is not (0 or >= 4))
                continue;
            GuestRange range = Outward(entry.Range);
            if (ranges.Count > 0 && range.Start <= ranges[^1].End)
                ranges[^1] = new(ranges[^1].Start, Math.Max(ranges[^1].End, range.End) - ranges[^1].Start);
            else
                ranges.Add(range);
        }

        return ranges;
    }

    private static LimineMemoryType TypeOf(E820Type type, ulong revision) => type switch
    {
        E820Type.Acpi => LimineMemoryType.AcpiReclaimable,
        E820Type.Nvs => LimineMemoryType.AcpiNvs,
        // The firmware's tables are in it.
        _ when revision >= 4 => LimineMemoryType.ReservedMapped,
        _ => LimineMemoryType.Reserved,
    };

    /// <summary>RAM, less what lies in it; whole pages of it are left.</summary>
    private static void Split(List<LimineMemoryEntry> map, GuestRange ram, List<LimineMemoryEntry> taken)
    {
        ulong at = (ram.Start + Page - 1) & ~(Page - 1);
        ulong end = ram.End & ~(Page - 1);
        foreach ((GuestRange range, LimineMemoryType type) in taken)
        {
            ulong start = Math.Max(range.Start, at);
            ulong stop = Math.Min(range.End, end);
            if (start >= stop)
                continue;
            Append(map, new(at, start - at), LimineMemoryType.Usable);
            Append(map, new(start, stop - start), type);
            at = stop;
        }

        if (at < end)
            Append(map, new(at, end - at), LimineMemoryType.Usable);
    }

    private static void Append(List<LimineMemoryEntry> map, GuestRange range, LimineMemoryType type)
    {
        if (range.Length == 0)
            return;
        if (map.Count > 0 && map[^1] is var last && last.Type == type && last.Range.End == range.Start)
            map[^1] = new(new(last.Range.Start, last.Range.Length + range.Length), type);
        else
            map.Add(new(range, type));
    }

    private static GuestRange Outward(GuestRange range)
    {
        ulong start = range.Start & ~(Page - 1);
        return new(start, ((range.End + Page - 1) & ~(Page - 1)) - start);
    }
}
