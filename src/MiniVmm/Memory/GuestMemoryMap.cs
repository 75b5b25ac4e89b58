namespace MiniVmm.Memory;

/// <summary>What an e820 entry says of a range; the values are the firmware's own (ACPI 6.5, 15.1).</summary>
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
                $"--mem {ByteSize.Format(size)}: a guest needs at least {ByteSize.Format(MinimumSize)}");
        }

        if (size % (4 * MemoryLayout.KiB) != 0)
            throw new BadInputException($"--mem {size}: not a whole number of 4 KiB pages");
        if (size > ulong.MaxValue / 4)
            throw new BadInputException($"--mem {ByteSize.Format(size)}: more than an x86 processor can address");
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
            new(new(MemoryLayout.Acpi, MemoryLayout.HighMemory - MemoryLayout.Acpi), E820Type.Reserved),
            new(new(MemoryLayout.HighMemory, low - MemoryLayout.HighMemory), E820Type.Ram),
        ];
        if (size > low)
            e820.Add(new(new(MemoryLayout.HighRam, size - low), E820Type.Ram));
        E820 = e820;
    }

    /// <summary>Bytes of RAM in all.</summary>
    public ulong Size { get; }

    /// <summary>The RAM slots, ascending: one below the device hole, and one from 4 GiB up if there is more.</summary>
    public IReadOnlyList<GuestRange> Ram { get; }

    /// <summary>The firmware memory map, ascending. The VGA and ROM window counts as RAM to KVM but not here.</summary>
    public IReadOnlyList<E820Entry> E820 { get; }

    /// <summary>End of the RAM below the device hole.</summary>
    public ulong LowRamEnd => Ram[0].End;
}
