using System.Text.Json;

namespace MiniVmm.Site.Tests;

/// <summary>The site of <c>make site</c>, in a browser, as a phone and as a desk's screen show it.</summary>
public sealed class SiteTests(CrawledSite site) : IClassFixture<CrawledSite>
{
    private static readonly string[] Folders = ["docs", "docs/course", "guest-images", "tests/lab"];

    [Fact]
    public void Every_link_leads_to_a_page_and_to_a_place_on_it() => Nothing(PageView.DeadLinks(site.Pages));

    [Fact]
    public void No_page_scrolls_sideways_writes_too_small_lacks_a_file_complains_or_asks_another_host() =>
        Nothing(site.Pages.SelectMany(page => page.Wrong.Select(wrong => $"{page.Address.AbsolutePath}: {wrong}")));

    [Fact]
    public void Every_page_of_the_repository_can_be_reached()
    {
        IEnumerable<string> files = Folders.SelectMany(folder => Directory.GetFiles(Path.Combine(Repository.Root, folder), "*.md"))
            .Select(file => Path.ChangeExtension(Path.GetRelativePath(Repository.Root, file), "html"));

        Nothing(files.Append("ARCHITECTURE.html").Append("docs/minivmm.1.html").Append("samples/tiny-vmm/Program.cs.html")
            .Except(site.Pages.Select(page => page.Address.AbsolutePath.TrimStart('/'))));
    }

    [Fact]
    public async Task The_course_is_read_from_lesson_to_lesson()
    {
        List<string> read = [];
        Uri? address = new(site.Address, "docs/course/README.html");
        while (address is not null && read.Count < 100)
        {
            read.Add(Path.GetFileNameWithoutExtension(address.AbsolutePath));
            await site.Browser.ShowAsync(address, TestContext.Current.CancellationToken);
            JsonElement next = await site.Browser.EvaluateAsync("document.querySelector('a[rel=next]')?.href", TestContext.Current.CancellationToken);
            address = next.ValueKind == JsonValueKind.String && next.GetString()!.Contains("/course/", StringComparison.Ordinal) ? new(next.GetString()!) : null;
        }

        string[] pages = Directory.GetFiles(Path.Combine(Repository.Root, "docs/course"), "*.md");
        Assert.Equal("README", read[0]);
        Assert.Equal(pages.Select(Path.GetFileNameWithoutExtension).Where(page => page != "README").Order(StringComparer.Ordinal), read[1..]);
    }

    [Fact]
    public async Task A_phone_shows_the_list_of_pages_when_asked_and_the_search_finds_a_heading()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await site.Browser.ResizeAsync(PageView.Phone, 844, cancellation);
        await site.Browser.ShowAsync(new Uri(site.Address, "docs/course/05-paging.html"), cancellation);
        const string visible = "document.querySelector('nav').checkVisibility()";

        Assert.False((await site.Browser.EvaluateAsync(visible, cancellation)).GetBoolean());
        await site.Browser.EvaluateAsync("document.querySelector('header button').click()", cancellation);
        Assert.True((await site.Browser.EvaluateAsync(visible, cancellation)).GetBoolean());
        JsonElement found = await site.Browser.EvaluateAsync("""
            new Promise(resolve => {
              const list = document.querySelector("search ol"), input = document.querySelector("search input");
              new MutationObserver(() => resolve([...list.querySelectorAll("a")].map(a => a.href))).observe(list, { childList: true });
              input.value = "when to choose";
              input.dispatchEvent(new Event("input"));
            })
            """, cancellation);

        Assert.Equal($"{site.Address}index.html#when-to-choose-it", found[0].GetString());
    }

    [Fact]
    public async Task What_is_wrong_with_a_page_is_found()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Uri page = new($"data:text/html,{Uri.EscapeDataString("""
            <meta name="viewport" content="width=device-width"><p style="font-size: 15.5px">small<pre style="font-size: 13px">code</pre>
            <div style="width: 600px">wide</div><img src="https://127.0.0.1:1/picture.png"><script>console.error("complaint"); undefined.x;</script>
            """)}");

        string wrong = string.Join('\n', (await PageView.OfAsync(site.Browser, page, cancellation)).Wrong);

        Assert.All((string[])["too small at 390: 15.5 px: \"small\"", "13 px: \"code\"", "608 pixels wide where there are 390: <div> \"wide\"", "asks for https://127.0.0.1:1/picture.png",
            "no picture", "a request failed", "complaint", "TypeError"], word => Assert.Contains(word, wrong, StringComparison.Ordinal));
        Assert.DoesNotContain("wide where there are 1280", wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dead_link_is_found()
    {
        PageView[] pages =
        [
            new(new Uri("http://a/1.html"), [new Uri("http://a/2.html#there"), new Uri("http://a/2.html#nowhere"), new Uri("http://a/3.html"), new Uri("http://b/")], [], []),
            new(new Uri("http://a/2.html"), [], ["there"], []),
        ];

        Assert.Equal(["/1.html: /2.html#nowhere", "/1.html: /3.html"], PageView.DeadLinks(pages));
    }

    private static void Nothing(IEnumerable<string> wrong) => Assert.True(!wrong.Any(), string.Join('\n', wrong));
}
