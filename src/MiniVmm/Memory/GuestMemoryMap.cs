namespace MiniVmm.Memory;

/// <summary>The type of an e820 entry; the values are the firmware's own (ACPI 6.5, 15.1).</summary>
public enum E820Type : uint
{
    Ram = 1,
    Reserved = 2,
    Acpi = 3,
    Nvs = 4,
}

/// <summary>One line of the e820 map.</summary>
public readonly record struct E820Entry(GuestRange Range, E820Type Type);

/// <summary>
/// Where a guest of a given size has its RAM, and what its firmware map says: pure arithmetic, no memory yet.
/// </summary>
public sealed class GuestMemoryMap
{
    /// <summary>Smallest guest: the first megabyte and one more for a kernel.</summary>
    public const ulong MinimumSize = 2 * MemoryLayout.MiB;

    /// <param name="size">Bytes of RAM, a multiple of 4 KiB.</param>
    /// <exception cref="BadInputException">Less than 2 MiB or not a multiple of 4 KiB.</exception>
    public GuestMemoryMap(ulong size)
    {
        if (size < MinimumSize)
        {
            throw new BadInputException(
                $"{OptionName.Mem.With(ByteSize.Format(size))}: a guest needs at least {ByteSize.Format(MinimumSize)}");
        }

        if (size % (4 * MemoryLayout.KiB) != 0)
            throw new BadInputException($"{OptionName.Mem.With($"{size}")}: not a whole number of 4 KiB pages");
        if (size > ulong.MaxValue / 4)
            throw new BadInputException($"{OptionName.Mem.With(ByteSize.Format(size))}: more than an x86 processor can address");
        Size = size;

        ulong low = Math.Min(size, MemoryLayout.HoleStart);
        List<GuestRange> ram = [new(0, low)];
        if (size > low)
            ram.Add(new(MemoryLayout.HighRam, size - low));
        Ram = ram;

        List<E820Entry> e820 =
        [
            new(new(0, MemoryLayout.BaseMemoryEnd), E820Type.Ram),
            new(
                new(MemoryLayout.BaseMemoryEnd, MemoryLayout.LegacyHoleStart - MemoryLayout.BaseMemoryEnd),
                E820Type.Reserved),
            new(new(MemoryLayout.RomArea, MemoryLayout.HighMemory - MemoryLayout.RomArea), E820Type.Reserved),
            new(new(MemoryLayout.HighMemory, low - MemoryLayout.HighMemory), E820Type.Ram),
        ];
        if (size > low)
            e820.Add(new(new(MemoryLayout.HighRam, size - low), E820Type.Ram));
        E820 = e820;
    }

    private GuestMemoryMap(GuestMemoryMap other, IReadOnlyList<E820Entry> e820)
    {
        Size = other.Size;
        Ram = other.Ram;
        Pluggable = other.Pluggable;
        E820 = e820;
    }

    /// <summary>The map for what was asked for, in whole pages.</summary>
    /// <exception cref="BadInputException">There is no such RAM, or not so much.</exception>
    public static GuestMemoryMap Of(MemoryOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        GuestMemoryMap map = new(RamBacking.RoundedSize(options));
        map.Pluggable = PluggableRegion.For(options, map.Size, map.Ram[^1].End, RamBacking.PageSize(options));
        return map;
    }

    /// <summary>Bytes of RAM in all.</summary>
    public ulong Size { get; }

    /// <summary>The RAM slots, ascending: one below the device hole, and one from 4 GiB up if there is more.</summary>
    public IReadOnlyList<GuestRange> Ram { get; }

    /// <summary>Where more RAM may come while the guest runs; null for a guest that has all of it at the start.</summary>
    public PluggableRegion? Pluggable { get; private set; }

    /// <summary>First address after all RAM that there is or may be.</summary>
    public ulong End => Pluggable?.Range.End ?? Ram[^1].End;

    /// <summary>The firmware memory map, ascending. The VGA and ROM window counts as RAM to KVM but not here.</summary>
    public IReadOnlyList<E820Entry> E820 { get; }

    /// <summary>End of the RAM below the device hole.</summary>
    public ulong LowRamEnd => Ram[0].End;

    /// <summary>End of the RAM that is reported from address 0 on: 639 KiB, less what was reserved there.</summary>
    public ulong BaseMemoryEnd => ReportedEnd(0);

    /// <summary>End of the RAM that is reported from 1 MiB on.</summary>
    public ulong ExtendedMemoryEnd => ReportedEnd(MemoryLayout.HighMemory);

    /// <summary>Whether there is memory behind a whole range, whatever the firmware map says of it.</summary>
    public bool HasRam(GuestRange range) => Ram.Any(ram => ram.Contains(range.Start, range.Length));

    /// <summary>Whether the firmware map has the whole range in one entry of a type.</summary>
    public bool Reports(GuestRange range, E820Type type) =>
        E820.Any(entry => entry.Type == type && entry.Range.Contains(range.Start, range.Length));

    /// <summary>
    /// The same memory with a part of its reported RAM reserved, merged with adjoining reserved ranges.
    /// </summary>
    /// <exception cref="ArgumentException">Empty, or not all in one RAM entry.</exception>
    public GuestMemoryMap WithReserved(GuestRange range)
    {
        if (range.Length == 0 || !Reports(range, E820Type.Ram))
            throw new ArgumentException($"0x{range.Start:x}, 0x{range.Length:x} bytes: not RAM", nameof(range));
        List<E820Entry> e820 = [];
        foreach (E820Entry entry in E820)
        {
            if (entry.Type != E820Type.Ram || !entry.Range.Overlaps(range))
            {
                Append(entry);
                continue;
            }

            Append(new(new(entry.Range.Start, range.Start - entry.Range.Start), E820Type.Ram));
            Append(new(range, E820Type.Reserved));
            Append(new(new(range.End, entry.Range.End - range.End), E820Type.Ram));
        }

        return new(this, e820);

        void Append(E820Entry entry)
        {
            if (entry.Range.Length == 0)
                return;
            if (e820.Count > 0 && e820[^1] is var last && last.Type == entry.Type && last.Range.End == entry.Range.Start)
                e820[^1] = new(new(last.Range.Start, last.Range.Length + entry.Range.Length), entry.Type);
            else
                e820.Add(entry);
        }
    }

    private ulong ReportedEnd(ulong start)
    {
        foreach (E820Entry entry in E820)
        {
            if (entry.Type == E820Type.Ram && entry.Range.Contains(start, 1))
                return entry.Range.End;
        }

        return start;
    }
}
