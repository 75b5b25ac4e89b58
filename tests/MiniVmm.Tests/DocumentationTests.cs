using System.Text.RegularExpressions;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests;

/// <summary>Links between the pages lead somewhere, and every page can be reached from the README.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string[] AllPages = [.. DocumentationPages.All(), .. DocumentationPages.Course()];

    public static TheoryData<string> Pages => [.. AllPages];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_link_leads_to_a_file_and_a_heading(string page)
    {
        string[] broken = [.. Links(page).Select(link => Problem(page, link)).OfType<string>()];

        Assert.True(broken.Length == 0, $"{page}: {string.Join("; ", broken)}");
    }

    [Fact]
    public void Every_page_can_be_reached_from_the_readme()
    {
        HashSet<string> reached = ["README.md"];
        Queue<string> next = new(reached);
        while (next.TryDequeue(out string? page))
        {
            foreach (string file in Links(page).Select(link => Target(page, link).File).Intersect(AllPages))
            {
                if (reached.Add(file))
                    next.Enqueue(file);
            }
        }

        Assert.Empty(AllPages.Except(reached));
        Assert.Contains(Links("README.md"), link => link == "LICENSE");
    }

    [Fact]
    public void Every_page_has_its_place_on_the_site()
    {
        string sections = File.ReadAllText(DocumentationPages.FullPath("docs/site/hugo.toml"));

        Assert.All(DocumentationPages.All().Where(page => page != "README.md"),
            page => Assert.Contains($"[\"{page}\", ", sections, StringComparison.Ordinal));
    }

    [Fact]
    public void The_readme_lists_the_smallest_sample_as_it_is()
    {
        string sample = File.ReadAllText(Path.Combine(Repository.Root, "samples/add-two-numbers/Program.cs"));

        Assert.Contains($"```csharp\n{sample}```", File.ReadAllText(Path.Combine(Repository.Root, "README.md")), StringComparison.Ordinal);
        Assert.InRange(sample.Split('\n').Length - 1, 1, 15);
    }

    [Theory]
    [InlineData("docs/memory.md", null)]
    [InlineData("docs/memory.md#swap", null)]
    [InlineData("#limits", null)]
    [InlineData("docs", null)]
    [InlineData("docs/memroy.md", "docs/memroy.md: no such file")]
    [InlineData("docs/memory.md#swop", "docs/memory.md#swop: no such heading")]
    [InlineData("#nowhere", "#nowhere: no such heading")]
    public void A_broken_link_is_found(string link, string? problem) =>
        Assert.Equal(problem, Problem("README.md", link));

    [Theory]
    [InlineData("See [a](b.md) and [c](d.md#e \"title\").", "b.md d.md#e")]
    [InlineData("[a][ref]\n\n[ref]: b.md\n", "b.md")]
    [InlineData("[a](https://example.org/x)", "")]
    [InlineData("Code: `[a](b.md)`.", "")]
    [InlineData("```\n[a](b.md)\n```\n[c](d.md)", "d.md")]
    [InlineData("![picture](p.png)", "p.png")]
    public void Links_are_read_outside_of_code(string text, string links) =>
        Assert.Equal(links, string.Join(' ', LinksIn(text)));

    [Theory]
    [InlineData("# When a guest crashes", "when-a-guest-crashes")]
    [InlineData("## `run`, and the rest: 2", "run-and-the-rest-2")]
    [InlineData("```\n# not one\n```\n## One\n## One", "one one-1")]
    public void Headings_have_the_anchors_that_GitHub_gives_them(string text, string anchors) =>
        Assert.Equal(anchors, string.Join(' ', AnchorsIn(text)));

    private static string? Problem(string page, string link)
    {
        (string file, string? anchor) = Target(page, link);
        if (!Path.Exists(DocumentationPages.FullPath(file)))
            return $"{link}: no such file";
        bool found = anchor is null || AnchorsIn(DocumentationPages.Text(file)).Contains(anchor);
        return found ? null : $"{link}: no such heading";
    }

    private static (string File, string? Anchor) Target(string page, string link)
    {
        string[] parts = link.Split('#', 2);
        string from = DocumentationPages.FullPath(page);
        string folder = Path.GetDirectoryName(from)!;
        string to = parts[0].Length == 0 ? from : Path.GetFullPath(Path.Combine(folder, parts[0]));
        return (Path.GetRelativePath(Repository.Root, to), parts.Length == 2 ? parts[1] : null);
    }

    private static IEnumerable<string> Links(string page) => LinksIn(DocumentationPages.Text(page));

    /// <summary>Relative ones, those of reference definitions included.</summary>
    private static IEnumerable<string> LinksIn(string text) =>
        Link().Matches(InlineCode().Replace(DocumentationPages.WithoutFences(text), ""))
            .Select(match => match.Groups["target"].Value)
            .Where(target => !target.Contains("://", StringComparison.Ordinal));

    private static List<string> AnchorsIn(string text)
    {
        List<string> anchors = [];
        foreach (Match heading in Heading().Matches(DocumentationPages.WithoutFences(text)))
        {
            string words = heading.Groups["text"].Value.Trim().ToLowerInvariant();
            string slug = NotInAnchors().Replace(words, "").Replace(' ', '-');
            string anchor = slug;
            for (int copy = 1; anchors.Contains(anchor); copy++)
                anchor = $"{slug}-{copy}";
            anchors.Add(anchor);
        }

        return anchors;
    }

    [GeneratedRegex(
        @"\]\((?<target>[^\s)]+)(?:\s+""[^""]*"")?\)|^\[[^\]]+\]:\s+(?<target>\S+)",
        RegexOptions.Multiline)]
    private static partial Regex Link();

    [GeneratedRegex(@"^#{1,6} +(?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\p{L}\p{N}_\- ]")]
    private static partial Regex NotInAnchors();

    [GeneratedRegex("`[^`]*`")]
    private static partial Regex InlineCode();
}
