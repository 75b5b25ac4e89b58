using MiniVmm.Memory;

namespace MiniVmm.Inspection;

/// <summary>A stretch of linear addresses that page tables map to guest-physical ones in a row.</summary>
internal readonly record struct MappedRange(ulong Linear, ulong Physical, ulong Length);

/// <summary>All that a vCPU's page tables map, joined where it goes on.</summary>
internal static class MappedRanges
{
    /// <summary>Lists it, by ascending linear address.</summary>
    /// <param name="state">How addresses are translated.</param>
    /// <param name="memory">Guest RAM; what is mapped elsewhere is left out.</param>
    /// <param name="most">Most ranges: tables may map any nonsense.</param>
    public static List<MappedRange> Of(in PagingState state, GuestMemory memory, int most)
    {
        ArgumentNullException.ThrowIfNull(memory);
        List<MappedRange> ranges = [];
        switch (state.Mode)
        {
            case PagingMode.None:
                break;
            case PagingMode.TwoLevel:
                TwoLevels(state, memory, most, ranges);
                break;
            case PagingMode.Pae:
                Down(memory, state.Cr3 & 0xffff_ffe0, level: 3, entries: 4, 0, most, ranges);
                break;
            default:
                Down(
                    memory, state.Cr3 & 0x000f_ffff_ffff_f000, state.Mode == PagingMode.FiveLevel ? 5 : 4, 512, 0, most, ranges);
                break;
        }

        return ranges;
    }

    private static void Down(GuestMemory memory, ulong table, int level, int entries, ulong start, int most, List<MappedRange> ranges)
    {
        int shift = 12 + (level - 1) * 9;
        for (int i = 0; i < entries && ranges.Count < most; i++)
        {
            if (!memory.TryRead(table + (ulong)i * 8, out ulong entry) || (entry & PageEntry.Present) == 0)
                continue;
            ulong linear = start + ((ulong)i << shift);
            if (level >= 4 && entries == 512 && start == 0 && i >= 256 && shift + 9 is 48 or 57)
                linear |= ulong.MaxValue << shift + 9;
            ulong target = entry & 0x000f_ffff_ffff_f000;
            bool large = level is 2 or 3 && entries == 512 && (entry & PageEntry.PageSize) != 0;
            if (large || level == 1)
                Add(memory, new(linear, target & ~((1UL << shift) - 1), 1UL << shift), ranges);
            else
                Down(memory, target, level - 1, 512, linear, most, ranges);
        }
    }

    private static void TwoLevels(in PagingState state, GuestMemory memory, int most, List<MappedRange> ranges)
    {
        for (uint i = 0; i < 1024 && ranges.Count < most; i++)
        {
            if (!memory.TryRead((state.Cr3 & 0xffff_f000) + i * 4, out uint directory) || (directory & 1) == 0)
                continue;
            if ((state.Cr4 & ControlBits.Cr4Pse) != 0 && (directory & PageEntry.PageSize) != 0)
            {
                Add(memory, new((ulong)i << 22, directory & 0xffc0_0000 | (ulong)(directory >> 13 & 0xff) << 32, 4 << 20), ranges);
                continue;
            }

            for (uint j = 0; j < 1024 && ranges.Count < most; j++)
            {
                if (memory.TryRead((directory & 0xffff_f000) + j * 4, out uint entry) && (entry & 1) != 0)
                    Add(memory, new((ulong)i << 22 | (ulong)j << 12, entry & 0xffff_f000, 4096), ranges);
            }
        }
    }

    /// <summary>The parts of a page that are RAM; joined to the range before, where it goes on.</summary>
    private static void Add(GuestMemory memory, MappedRange page, List<MappedRange> ranges)
    {
        foreach (RamSlot slot in memory.Slots)
        {
            ulong first = Math.Max(page.Physical, slot.Range.Start);
            ulong end = Math.Min(page.Physical + page.Length, slot.Range.End);
            if (first >= end)
                continue;
            MappedRange part = new(page.Linear + (first - page.Physical), first, end - first);
            if (ranges.Count > 0 && ranges[^1] is var last && last.Linear + last.Length == part.Linear
                && last.Physical + last.Length == part.Physical && InOneSlot(memory, last.Physical, last.Length + part.Length))
                ranges[^1] = last with { Length = last.Length + part.Length };
            else
                ranges.Add(part);
        }
    }

    private static bool InOneSlot(GuestMemory memory, ulong address, ulong length)
    {
        foreach (RamSlot slot in memory.Slots)
        {
            if (slot.Range.Contains(address, length))
                return true;
        }

        return false;
    }
}
