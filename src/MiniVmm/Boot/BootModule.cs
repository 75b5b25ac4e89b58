using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>A file to hand to a kernel: an initial RAM disk, or a module with arguments for it.</summary>
/// <param name="Path">The file.</param>
/// <param name="Words">Arguments for the kernel; empty where there are none.</param>
public sealed record BootFile(string Path, string Words = "")
{
    /// <summary>The file and the words as one text, which a multiboot kernel gets as the module's string.</summary>
    public string Text => Words.Length == 0 ? Path : $"{Path} {Words}";

    /// <summary>
    /// What names it to a kernel whose loaders hand over the words alone, as GRUB does by multiboot 2; the path where there
    /// are none.
    /// </summary>
    internal string Label => Words.Length == 0 ? Path : Words;
}

/// <summary>Such a file in this process' memory.</summary>
/// <param name="File">Its name and words.</param>
/// <param name="Data">Its bytes.</param>
internal sealed record BootModule(BootFile File, ReadOnlyMemory<byte> Data);

/// <summary>A module in guest memory.</summary>
internal readonly record struct PlacedModule(GuestRange Range, BootFile File)
{
    /// <summary>Places modules in their order, each on a page boundary below 4 GiB.</summary>
    /// <param name="plan">Holds the kernel already.</param>
    /// <param name="request">Where the guest has RAM.</param>
    /// <param name="modules">The modules.</param>
    /// <param name="floor">Lowest address for the first one: the kernel's end.</param>
    /// <exception cref="BadInputException">One does not fit.</exception>
    public static List<PlacedModule> Place(
        LoadPlan plan, BootRequest request, IEnumerable<BootModule> modules, ulong floor)
    {
        List<PlacedModule> placed = [];
        foreach ((BootFile file, ReadOnlyMemory<byte> data) in modules)
        {
            ulong length = (ulong)data.Length;
            string name = placed.Count == 0 ? "module" : $"module {placed.Count + 1}";
            ulong start = plan.TryPlaceLowest(name, data, floor, request.Memory.LowRamEnd)
                ?? throw new BadInputException($"{file.Path}: {length} bytes do not fit in the RAM above the " +
                    $"{(placed.Count == 0 ? "kernel" : "modules before it")}{plan.MemoryAdvice(floor + length)}");
            placed.Add(new(new(start, length), file));
            floor = start + length;
        }

        return placed;
    }
}
