using System.Text.RegularExpressions;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests;

/// <summary>The pages of documentation, by their paths below the root.</summary>
internal static partial class DocumentationPages
{
    private static readonly string[] Folders = [".", "docs", "guest-images", "tests/lab", "samples"];

    public static IEnumerable<string> All() => In(Folders);

    /// <summary>The lessons and their list: the tests of the course run their command lines.</summary>
    public static IEnumerable<string> Course() => In("docs/course");

    public static string FullPath(string page) => Path.Combine(Repository.Root, page);

    public static string Text(string page) => File.ReadAllText(FullPath(page));

    public static string WithoutFences(string text) => Fence().Replace(text, "");

    private static IEnumerable<string> In(params string[] folders) =>
        folders.Select(FullPath)
            .Where(Directory.Exists)
            .SelectMany(folder => Directory.GetFiles(folder, "*.md"))
            .Select(page => Path.GetRelativePath(Repository.Root, page))
            .Order(StringComparer.Ordinal);

    [GeneratedRegex(@"^ *```.*?^ *```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();
}
