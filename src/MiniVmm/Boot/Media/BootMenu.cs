namespace MiniVmm.Boot.Media;

/// <summary>Codecs by which a boot loader unpacks a file before it hands it over.</summary>
[Flags]
internal enum MenuCodecs
{
    None = 0,
    Gzip = 1,
    Xz = 2,
}

/// <summary>A file that an entry names, with the words for the kernel.</summary>
/// <param name="Path">Its path in the image.</param>
/// <param name="Words">What the kernel is told of it.</param>
/// <param name="Unpacked">The codecs that the boot loader undoes: of a file in another form it does not.</param>
internal readonly record struct MenuFile(string Path, string Words, MenuCodecs Unpacked = MenuCodecs.None);

/// <summary>What one line of a boot loader's menu starts.</summary>
internal sealed record MenuEntry
{
    /// <summary>Its title; those of the menus that it is in come first, with > between them as in GRUB.</summary>
    public required string Title { get; init; }

    /// <summary>What else it is called.</summary>
    public string? Id { get; init; }

    /// <summary>The protocol that it says the kernel has.</summary>
    public BootProtocol Protocol { get; init; }

    /// <summary>Path of the kernel in the image; null for an entry that boots none.</summary>
    public MenuFile? Kernel { get; init; }

    /// <summary>Paths of the initial RAM disk's files.</summary>
    public IReadOnlyList<string> Initrds { get; init; } = [];

    public IReadOnlyList<MenuFile> Modules { get; init; } = [];

    /// <summary>What it does that MiniVmm cannot, if it boots no kernel: "chainloader".</summary>
    public string? Other { get; init; }

    /// <summary>A line for people.</summary>
    public override string ToString() =>
        Kernel is { } kernel ? $"{Title}: {kernel.Path}{(kernel.Words.Length > 0 ? " " : "")}{kernel.Words}" : $"{Title}: {Other ?? "boots nothing"}";
}

/// <summary>A boot loader's menu, read from its configuration.</summary>
/// <param name="Entries">In the order of the file.</param>
/// <param name="Default">The one that starts by itself; a number from 0, a title or an id; null for the first.</param>
internal sealed record BootMenu(IReadOnlyList<MenuEntry> Entries, string? Default)
{
    /// <summary>Most entries that are read.</summary>
    public const int MostEntries = 256;

    /// <summary>The entry to start.</summary>
    /// <param name="image">The image, for errors.</param>
    /// <param name="choice">What the user asked for: a number from 1, a title, an id or the start of one; null for the default.</param>
    /// <exception cref="BadInputException">There is none of that name.</exception>
    public MenuEntry Choose(string image, EntryChoice? choice)
    {
        if (choice is null)
            return FindDefault() ?? Entries.FirstOrDefault(entry => entry.Kernel is not null) ?? Entries[0];
        string text = choice.Text;
        if (int.TryParse(text, out int number) && number >= 1 && number <= Entries.Count)
            return Entries[number - 1];
        return Named(text, StringComparison.Ordinal) ?? Named(text, StringComparison.OrdinalIgnoreCase)
            ?? Entries.FirstOrDefault(entry => entry.Title.StartsWith(text, StringComparison.OrdinalIgnoreCase))
            ?? throw new BadInputException($"{OptionName.Entry.With(text)}: {image} has no such entry; it has " +
                $"{string.Join(", ", Entries.Select((entry, i) => $"{i + 1} \"{entry.Title}\""))}");
    }

    private MenuEntry? FindDefault()
    {
        if (Default is null)
            return null;
        if (int.TryParse(Default, out int number))
            return number >= 0 && number < Entries.Count ? Entries[number] : null;
        return Named(Default, StringComparison.Ordinal);
    }

    private MenuEntry? Named(string text, StringComparison comparison) => Entries.FirstOrDefault(entry =>
        entry.Title.Equals(text, comparison) || (entry.Id?.Equals(text, comparison) ?? false)
        || (entry.Title.Split('>')[^1].Equals(text, comparison)));
}
