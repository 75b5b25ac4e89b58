using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// The segments of a boot image as they are put together. The one place that decides whether bytes may go to an
/// address: in RAM by the firmware map, clear of the interrupt vectors, clear of all that is already placed.
/// </summary>
/// <param name="file">The kernel file's name, which starts every error.</param>
/// <param name="memory">Where the guest has RAM.</param>
internal sealed class LoadPlan(string file, GuestMemoryMap memory)
{
    /// <summary>Lowest address for anything loaded: below lie the real-mode vectors and the BIOS data area.</summary>
    private const ulong LowestAddress = MemoryLayout.BootGdt;

    private readonly List<LoadSegment> _segments = [];

    public IReadOnlyList<LoadSegment> Segments => _segments;

    /// <summary>Places bytes at an address; an empty segment is dropped.</summary>
    /// <exception cref="BadInputException">Not in RAM, or in the way of something else.</exception>
    public void Add(string name, ulong address, ReadOnlyMemory<byte> data, ulong memorySize)
    {
        if ((ulong)data.Length > memorySize)
        {
            throw new BadInputException(
                $"{file}: {name} has {data.Length} bytes in the file but takes {memorySize} in memory");
        }

        if (memorySize == 0)
            return;
        if (address > ulong.MaxValue - memorySize)
        {
            throw new BadInputException(
                $"{file}: {name} at 0x{address:x}, 0x{memorySize:x} bytes, runs past the end of the address " +
                "space");
        }

        GuestRange range = new(address, memorySize);
        if (address < LowestAddress)
        {
            throw new BadInputException(
                $"{file}: {name} at {range} lies on the interrupt vectors and BIOS data below " +
                $"0x{LowestAddress:x}");
        }

        if (!InRam(range))
            throw new BadInputException($"{file}: {name} at {range} is not in RAM{MemoryAdvice(range.End)}");
        if (FirstOverlap(range) is { } other)
        {
            throw new BadInputException(
                $"{file}: {name} at {range} overlaps {other.Name} at " +
                $"{new GuestRange(other.Address, other.MemorySize)}");
        }

        _segments.Add(new(name, address, data, memorySize));
    }

    /// <inheritdoc cref="Add(string, ulong, ReadOnlyMemory{byte}, ulong)"/>
    public void Add(in LoadSegment segment) => Add(segment.Name, segment.Address, segment.Data, segment.MemorySize);

    /// <summary>
    /// Places bytes on a page boundary above the first megabyte, as high as they fit in one RAM range and below
    /// <paramref name="limit"/>.
    /// </summary>
    /// <returns>The address, or null when nothing is free.</returns>
    public ulong? TryPlaceHighest(string name, ReadOnlyMemory<byte> data, ulong floor, ulong limit)
    {
        ulong size = (ulong)data.Length;
        foreach (GuestRange ram in RamRanges().Reverse())
        {
            ulong start = Math.Max(ram.Start, floor);
            ulong end = Math.Min(ram.End, limit);
            while (end >= start && size <= end - start)
            {
                GuestRange range = new(AlignDown(end - size), size);
                if (range.Start < start)
                    break;
                if (FirstOverlap(range) is not { } other)
                {
                    Add(new(name, range.Start, data));
                    return range.Start;
                }

                end = other.Address;
            }
        }

        return null;
    }

    /// <summary>
    /// Places bytes on the first free page boundary from <paramref name="floor"/> up, below <paramref name="limit"/>.
    /// </summary>
    /// <returns>The address, or null when nothing is free.</returns>
    public ulong? TryPlaceLowest(string name, ReadOnlyMemory<byte> data, ulong floor, ulong limit)
    {
        ulong size = (ulong)data.Length;
        foreach (GuestRange ram in RamRanges())
        {
            ulong end = Math.Min(ram.End, limit);
            ulong start = Math.Max(ram.Start, floor);
            while (start < end && end - start > PageSize - 1)
            {
                start = AlignUp(start);
                if (size > end - start)
                    break;
                GuestRange range = new(start, size);
                if (FirstOverlap(range) is not { } other)
                {
                    Add(new(name, start, data));
                    return start;
                }

                start = other.End;
            }
        }

        return null;
    }

    /// <summary>What to say after "… is not in RAM": how much memory would do, when more memory would do.</summary>
    public string MemoryAdvice(ulong end)
    {
        ulong low = memory.LowRamEnd;
        if (end > low && end <= MemoryLayout.HoleStart)
        {
            ulong needed = (end + MemoryLayout.MiB - 1) / MemoryLayout.MiB;
            return $": it needs at least {needed} MiB; --mem {ByteSize.Format(memory.Size)} is too small";
        }

        return $" (RAM: {string.Join(", ", RamRanges())})";
    }

    private const ulong PageSize = 4 * MemoryLayout.KiB;

    private static ulong AlignDown(ulong address) => address & ~(PageSize - 1);

    private static ulong AlignUp(ulong address) => (address + PageSize - 1) & ~(PageSize - 1);

    private IEnumerable<GuestRange> RamRanges() =>
        memory.E820.Where(entry => entry.Type == E820Type.Ram).Select(entry => entry.Range);

    private bool InRam(GuestRange range) => RamRanges().Any(ram => ram.Contains(range.Start, range.Length));

    private LoadSegment? FirstOverlap(GuestRange range)
    {
        foreach (LoadSegment segment in _segments)
        {
            if (range.Overlaps(new(segment.Address, segment.MemorySize)))
                return segment;
        }

        return null;
    }
}
