using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>A file with arguments for the kernel, as a user writes them in one text: "FILE words".</summary>
/// <param name="Text">The whole text, which a multiboot kernel gets as the module's string.</param>
/// <param name="File">The file's name.</param>
/// <param name="Words">What follows the name; empty when nothing does.</param>
public sealed record ModuleText(string Text, string File, string Words)
{
    /// <summary>Splits at the first blank, unless the whole text is the name of a file.</summary>
    public static ModuleText Parse(string text, Func<string, bool> exists)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(exists);
        int blank = text.IndexOf(' ', StringComparison.Ordinal);
        return blank < 0 || exists(text) ? new(text, text, "") : new(text, text[..blank], text[(blank + 1)..]);
    }

    /// <summary>
    /// QEMU's list of modules in <c>-initrd</c>: a comma ends an entry, two stand for one in its text. A text that is
    /// the name of a file is that file.
    /// </summary>
    public static IReadOnlyList<ModuleText> ParseList(string text, Func<string, bool> exists)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(exists);
        if (!text.Contains(',', StringComparison.Ordinal) || exists(text))
            return [Parse(text, exists)];
        List<ModuleText> modules = [];
        int start = 0;
        for (int at = 0; at <= text.Length; at++)
        {
            if (at < text.Length && text[at] != ',')
                continue;
            if (at + 1 < text.Length && text[at + 1] == ',')
            {
                at++;
                continue;
            }

            modules.Add(Parse(text[start..at].Replace(",,", ",", StringComparison.Ordinal), exists));
            start = at + 1;
        }

        return modules;
    }
}

/// <summary>A file that a kernel gets beside its own: an initial RAM disk, or a module.</summary>
/// <param name="Text">Its name and words.</param>
/// <param name="Data">Its bytes.</param>
public sealed record BootModule(ModuleText Text, ReadOnlyMemory<byte> Data);

/// <summary>A module in guest memory.</summary>
internal readonly record struct PlacedModule(GuestRange Range, ModuleText Text)
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
        foreach ((ModuleText text, ReadOnlyMemory<byte> data) in modules)
        {
            ulong length = (ulong)data.Length;
            string name = placed.Count == 0 ? "module" : $"module {placed.Count + 1}";
            ulong start = plan.TryPlaceLowest(name, data, floor, request.Memory.LowRamEnd)
                ?? throw new BadInputException($"{text.File}: {length} bytes do not fit in the RAM above the " +
                    $"{(placed.Count == 0 ? "kernel" : "modules before it")}{plan.MemoryAdvice(floor + length)}");
            placed.Add(new(new(start, length), text));
            floor = start + length;
        }

        return placed;
    }
}
