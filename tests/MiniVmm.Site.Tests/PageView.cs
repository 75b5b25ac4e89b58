using System.Text.Json;

namespace MiniVmm.Site.Tests;

/// <summary>A page as a browser shows it, with what is wrong there.</summary>
/// <param name="Links">Where its links lead, without repetition.</param>
/// <param name="Anchors">The places on it that a link can name.</param>
/// <param name="Wrong">In words: requests that failed or went elsewhere, complaints of the console, what is too wide or too small.</param>
internal sealed record PageView(Uri Address, Uri[] Links, HashSet<string> Anchors, string[] Wrong)
{
    public const int Phone = 390;
    public const int Desk = 1280;

    /// <summary>Text is at least 16 CSS pixels high, code 14; what is hidden does not count.</summary>
    private const string Look = """
        (allowed => {
          if (!document.body) // a picture by itself
            return { width: 0, wide: [], small: [], links: [], anchors: [], images: [] };
          const width = document.scrollingElement.scrollWidth, small = new Set();
          const scrolls = element => element && (getComputedStyle(element).overflowX !== "visible" || scrolls(element.parentElement));
          const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (texts.nextNode()) {
            const element = texts.currentNode.parentElement, size = parseFloat(getComputedStyle(element).fontSize);
            if (texts.currentNode.data.trim() && element.checkVisibility() && !element.closest("svg, script, style")
                && size < (element.closest("pre, code") ? 14 : 16))
              small.add(`${size} px: "${texts.currentNode.data.trim().slice(0, 40)}"`);
          }
          const wide = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > allowed + 1 && !scrolls(e.parentElement));
          return {
            width,
            wide: wide.slice(0, 3).map(e => `<${e.localName}> "${e.textContent.trim().slice(0, 40)}"`),
            small: [...small],
            links: [...new Set([...document.links].map(a => a.href))],
            anchors: [...document.querySelectorAll("[id]")].map(e => e.id),
            images: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
          };
        })
        """;

    /// <summary>Loads a page and looks at it in both widths.</summary>
    public static async Task<PageView> OfAsync(Browser browser, Uri address, CancellationToken cancellation)
    {
        await browser.ShowAsync(address, cancellation);
        List<string> wrong = [];
        JsonElement seen = default;
        foreach (int width in (int[])[Phone, Desk])
        {
            await browser.ResizeAsync(width, 844, cancellation);
            seen = await browser.EvaluateAsync($"{Look}({width})", cancellation);
            int needed = seen.GetProperty("width").GetInt32();
            if (needed > width)
                wrong.Add($"{needed} pixels wide where there are {width}: {string.Join(", ", Texts(seen, "wide"))}");
            wrong.AddRange(Texts(seen, "small").Select(text => $"too small at {width}: {text}"));
        }

        wrong.AddRange(Texts(seen, "images").Select(image => $"no picture: {image}"));
        // With a picture by itself the browser asks for an icon of the site, which each page names, and no server need have.
        if (seen.GetProperty("width").GetInt32() == 0)
            browser.Events.RemoveAll(e => e.Parameters.GetRawText().Contains("/favicon.ico\"", StringComparison.Ordinal));
        wrong.AddRange(browser.Events.Select(e => Complaint(e.Method, e.Parameters, address)).OfType<string>());
        return new(address, [.. Texts(seen, "links").Select(link => new Uri(link))], [.. Texts(seen, "anchors")], [.. wrong]);
    }

    /// <summary>The site's links of these pages that lead to none of them, or to no place on one.</summary>
    public static IEnumerable<string> DeadLinks(IReadOnlyCollection<PageView> pages)
    {
        Dictionary<Uri, PageView> byAddress = pages.ToDictionary(page => page.Address);
        return
            from page in pages
            from link in page.Links
            where link.Authority == page.Address.Authority
            let anchor = Uri.UnescapeDataString(link.Fragment.TrimStart('#'))
            where !byAddress.TryGetValue(PageOf(link), out PageView? to) || (anchor.Length > 0 && !to.Anchors.Contains(anchor))
            select $"{page.Address.AbsolutePath}: {link.PathAndQuery}{link.Fragment}";
    }

    /// <summary>A link's page, without the place on it; servers take "index.html" and nothing for the same.</summary>
    public static Uri PageOf(Uri link)
    {
        string page = link.GetLeftPart(UriPartial.Query);
        return new(page.EndsWith("/index.html", StringComparison.Ordinal) ? page[..^"index.html".Length] : page);
    }

    private static string? Complaint(string method, JsonElement parameters, Uri address)
    {
        switch (method)
        {
            case "Network.requestWillBeSent":
                Uri asked = new(parameters.GetProperty("request").GetProperty("url").GetString()!);
                return asked.Scheme == "data" || asked.Authority == address.Authority ? null : $"asks for {asked}";
            case "Network.responseReceived":
                JsonElement response = parameters.GetProperty("response");
                int status = response.GetProperty("status").GetInt32();
                return status < 400 ? null : $"{response.GetProperty("url")}: status {status}";
            case "Network.loadingFailed":
                return $"a request failed: {parameters.GetProperty("errorText")}";
            case "Runtime.exceptionThrown" or "Runtime.consoleAPICalled" or "Log.entryAdded":
                return $"on the console: {parameters}";
            default:
                return null;
        }
    }

    private static IEnumerable<string> Texts(JsonElement seen, string name) =>
        seen.GetProperty(name).EnumerateArray().Select(text => text.GetString()!);
}
