using MiniVmm.Boot;

namespace MiniVmm.Configuration;

/// <summary>Files that go with a kernel, each with its own command line in the same text: "FILE words".</summary>
public static class BootFileText
{
    /// <summary>Splits at the first space, unless the whole text names a file.</summary>
    public static BootFile Parse(string text, Func<string, bool> exists)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(exists);
        int blank = text.IndexOf(' ', StringComparison.Ordinal);
        return blank < 0 || exists(text) ? new(text) : new(text[..blank], text[(blank + 1)..]);
    }

    /// <summary>
    /// QEMU's list of modules in <c>-initrd</c>: a comma ends an entry, and two stand for a comma in it. A text that names
    /// a file is that file.
    /// </summary>
    public static IReadOnlyList<BootFile> ParseList(string text, Func<string, bool> exists)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(exists);
        if (!text.Contains(',', StringComparison.Ordinal) || exists(text))
            return [Parse(text, exists)];
        return [.. CommaList.Split(text).Select(entry => Parse(entry, exists))];
    }
}
