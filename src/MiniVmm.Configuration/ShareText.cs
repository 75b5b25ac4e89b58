using System.Text;
using MiniVmm.Sharing;

namespace MiniVmm.Configuration;

/// <summary>A shared folder: <c>FOLDER[,tag=NAME][,ro]</c>. A comma in the name is doubled, as in QEMU.</summary>
public static class ShareText
{
    private const int LongestTag = 255;

    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static ShareOptions Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<string> parts = CommaList.Split(text);
        ShareOptions options = new() { Folder = parts[0] };
        if (options.Folder.Length == 0)
            throw Wrong(text, "no folder given; put it first, as in src,ro");
        if (options.Folder.Contains('\0', StringComparison.Ordinal))
            throw Wrong(text, "a folder's name cannot contain NUL");
        foreach (string part in parts[1..])
        {
            options = part switch
            {
                "ro" => options with { ReadOnly = true },
                _ when part.StartsWith("tag=", StringComparison.Ordinal) => options with { Tag = CheckTag(text, part["tag=".Length..]) },
                _ => throw Wrong(text, $"unknown '{part}'; it takes tag=NAME and ro"),
            };
        }

        return options;
    }

    private static string CheckTag(string text, string tag) => tag.Length == 0 || tag.AsSpan().ContainsAnyInRange('\0', '\x1f')
        ? throw Wrong(text, "tag= needs a name without control characters")
        : Encoding.UTF8.GetByteCount(tag) > LongestTag ? throw Wrong(text, $"tag={tag}: {LongestTag} bytes at most") : tag;

    private static BadInputException Wrong(string text, string what) => new($"{OptionName.Share.With(text)}: {what}");
}
