namespace MiniVmm.Memory;

/// <summary>
/// What goes to guest memory before the first instruction, while it is put together. The kernel comes first, at the
/// addresses it names, anywhere in RAM; MiniVmm's own tables then go to their usual addresses, or elsewhere if the
/// kernel covers those.
/// </summary>
/// <param name="file">The kernel file's name, which starts every error.</param>
/// <param name="memory">Where the guest has RAM.</param>
internal sealed class LoadPlan(string file, GuestMemoryMap memory)
{
    private const ulong PageSize = 4 * MemoryLayout.KiB;

    private readonly List<LoadSegment> _segments = [];
    private readonly List<string> _moves = [];

    public IReadOnlyList<LoadSegment> Segments => _segments;

    /// <summary>The memory map that the guest gets, with what <see cref="Reserve"/> took out of RAM.</summary>
    public GuestMemoryMap Memory { get; private set; } = memory;

    /// <summary>One sentence for each table that is not at its usual address.</summary>
    public IReadOnlyList<string> Moves => _moves;

    /// <summary>
    /// Places bytes at an address. Any RAM will do, including what the firmware map does not report: the first 1280
    /// bytes, the EBDA, the VGA and ROM window. An empty segment is dropped.
    /// </summary>
    /// <exception cref="BadInputException">Not in RAM, or overlapping something else.</exception>
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
        if (!Memory.HasRam(range))
            throw new BadInputException($"{file}: {name} at {range} is not in RAM{MemoryAdvice(range.End)}");
        if (FirstOverlap(range) is { } other)
            throw new BadInputException($"{file}: {name} at {range} overlaps {other.Name} at {other.Range}");
        _segments.Add(new(name, address, data, memorySize));
    }

    /// <inheritdoc cref="Add(string, ulong, ReadOnlyMemory{byte}, ulong)"/>
    public void Add(in LoadSegment segment) => Add(segment.Name, segment.Address, segment.Data, segment.MemorySize);

    /// <summary>Gives the bytes of a segment that was placed without them.</summary>
    /// <param name="address">The segment's.</param>
    /// <param name="data">Not more than it takes.</param>
    public void Fill(ulong address, ReadOnlyMemory<byte> data)
    {
        int index = _segments.FindIndex(segment => segment.Address == address && segment.Data.IsEmpty);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)data.Length, _segments[index].MemorySize);
        _segments[index] = _segments[index] with { Data = data };
    }

    /// <summary>Places the bytes of a segment whose addresses are still free.</summary>
    public void AddWhereFree(in LoadSegment segment)
    {
        ulong at = segment.Address;
        while (at < segment.End)
        {
            GuestRange rest = new(at, segment.End - at);
            LoadSegment? next = FirstTakenIn(rest);
            ulong end = Math.Max(at, next?.Address ?? rest.End);
            Add(new(segment.Name, at, segment.Data.Slice((int)(at - segment.Address), (int)(end - at))));
            at = next?.End ?? end;
        }
    }

    /// <summary>
    /// Places bytes on a page boundary in reported RAM, as high as possible between <paramref name="floor"/> and
    /// <paramref name="limit"/>.
    /// </summary>
    /// <returns>The address, or null when nothing is free.</returns>
    public ulong? TryPlaceHighest(string name, ReadOnlyMemory<byte> data, ulong floor, ulong limit)
    {
        ulong? address = HighestFree((ulong)data.Length, PageSize, floor, limit);
        if (address is { } found)
            Add(new(name, found, data));
        return address;
    }

    /// <summary>
    /// Places bytes on the first free page boundary in reported RAM from <paramref name="floor"/> up, below
    /// <paramref name="limit"/>.
    /// </summary>
    /// <returns>The address, or null when nothing is free.</returns>
    public ulong? TryPlaceLowest(string name, ReadOnlyMemory<byte> data, ulong floor, ulong limit)
    {
        ulong? address = LowestFree((ulong)data.Length, PageSize, floor, limit);
        if (address is { } found)
            Add(new(name, found, data));
        return address;
    }

    /// <summary>
    /// The lowest free address of <paramref name="size"/> bytes in reported RAM between <paramref name="floor"/> and
    /// <paramref name="limit"/>, or null.
    /// </summary>
    public ulong? LowestFree(ulong size, ulong alignment, ulong floor, ulong limit)
    {
        foreach (GuestRange ram in RamBetween(floor, limit))
        {
            if (FirstFree(ram, size, alignment) is { } found)
                return found;
        }

        return null;
    }

    /// <summary>
    /// Finds room in reported RAM below 4 GiB for a table that a kernel finds through a register or a pointer: its
    /// usual address, else the top of base memory, else the top of RAM. Places nothing yet.
    /// </summary>
    /// <param name="name">The table.</param>
    /// <param name="size">Its bytes.</param>
    /// <param name="usual">Where it goes if the kernel leaves that free.</param>
    /// <param name="alignment">A power of two.</param>
    /// <exception cref="BadInputException">The kernel leaves no room.</exception>
    public ulong RoomFor(string name, ulong size, ulong usual, ulong alignment = 16)
    {
        GuestRange range = new(usual, size);
        if (IsFree(range) && Memory.Reports(range, E820Type.Ram))
            return usual;
        ulong address = HighestFree(size, alignment, MemoryLayout.BiosDataEnd, MemoryLayout.HighMemory)
            ?? HighestFree(size, alignment, MemoryLayout.HighMemory, MemoryLayout.HoleStart)
            ?? throw NoRoom(name, size);
        NoteMove(name, range, address);
        return address;
    }

    /// <summary>
    /// Takes room out of the RAM reported to the guest, for a table that a kernel reads long after its start.
    /// </summary>
    /// <exception cref="BadInputException">The kernel leaves no room.</exception>
    public ulong Reserve(string name, ulong size)
    {
        // A BIOS reserves base memory in KiB; above, a kernel counts in pages.
        ulong units = RoundUp(size, MemoryLayout.KiB);
        ulong? low = HighestFree(units, MemoryLayout.KiB, MemoryLayout.BiosDataEnd, MemoryLayout.HighMemory);
        ulong length = low is null ? RoundUp(size, PageSize) : units;
        ulong address = low ?? HighestFree(length, PageSize, MemoryLayout.HighMemory, MemoryLayout.HoleStart)
            ?? throw NoRoom(name, size);
        Memory = Memory.WithReserved(new(address, length));
        return address;
    }

    /// <summary>
    /// The lowest free address of <paramref name="size"/> bytes in a stretch of RAM, reported or not.
    /// </summary>
    public ulong? FirstFree(GuestRange window, ulong size, ulong alignment)
    {
        ulong start = RoundUp(window.Start, alignment);
        while (start <= window.End && size <= window.End - start)
        {
            if (FirstOverlap(new(start, size)) is not { } other)
                return start;
            start = RoundUp(other.End, alignment);
        }

        return null;
    }

    /// <summary>Whether nothing lies in a range yet.</summary>
    public bool IsFree(GuestRange range) => FirstOverlap(range) is null;

    /// <summary>Records that a table had to leave its usual place.</summary>
    public void NoteMove(string name, GuestRange usual, ulong address) =>
        _moves.Add($"{name} moved from 0x{usual.Start:x} to 0x{address:x}{Obstacle(usual)}");

    /// <summary>Records something else about where tables are.</summary>
    public void Note(string sentence) => _moves.Add(sentence);

    /// <summary>What follows "… is not in RAM": how much memory would be enough, if more memory would help.</summary>
    public OptionMessage MemoryAdvice(ulong end)
    {
        ulong low = Memory.LowRamEnd;
        if (end > low && end <= MemoryLayout.HoleStart)
        {
            ulong needed = (end + MemoryLayout.MiB - 1) / MemoryLayout.MiB;
            return $": it needs at least {needed} MiB; {OptionName.Mem.With(ByteSize.Format(Memory.Size))} is too small";
        }

        return $" (RAM: {string.Join(", ", Memory.Ram)})";
    }

    private static ulong RoundUp(ulong value, ulong alignment) => (value + alignment - 1) & ~(alignment - 1);

    private string Obstacle(GuestRange usual) =>
        FirstOverlap(usual) is { } other ? $", out of the way of {other.Name}" : "";

    private BadInputException NoRoom(string name, ulong size) =>
        new($"{file}: the kernel leaves no RAM below 4 GiB for the {name} ({size} bytes); give the guest more with "
            + $"{OptionName.Mem}");

    /// <summary>The highest such address, or null.</summary>
    public ulong? HighestFree(ulong size, ulong alignment, ulong floor, ulong limit)
    {
        foreach (GuestRange ram in RamBetween(floor, limit).Reverse())
        {
            ulong end = ram.End;
            while (end >= ram.Start && size <= end - ram.Start)
            {
                GuestRange range = new((end - size) & ~(alignment - 1), size);
                if (range.Start < ram.Start)
                    break;
                if (FirstOverlap(range) is not { } other)
                    return range.Start;
                end = other.Address;
            }
        }

        return null;
    }

    private IEnumerable<GuestRange> RamBetween(ulong floor, ulong limit)
    {
        foreach (E820Entry entry in Memory.E820)
        {
            ulong start = Math.Max(entry.Range.Start, floor);
            ulong end = Math.Min(entry.Range.End, limit);
            if (entry.Type == E820Type.Ram && start < end)
                yield return new(start, end - start);
        }
    }

    private LoadSegment? FirstOverlap(GuestRange range)
    {
        foreach (LoadSegment segment in _segments)
        {
            if (range.Overlaps(segment.Range))
                return segment;
        }

        return null;
    }

    /// <summary>The lowest segment that shares a byte with a range.</summary>
    private LoadSegment? FirstTakenIn(GuestRange range)
    {
        LoadSegment? first = null;
        foreach (LoadSegment segment in _segments)
        {
            if (range.Overlaps(segment.Range) && (first is not { } lowest || segment.Address < lowest.Address))
                first = segment;
        }

        return first;
    }
}
