namespace MiniVmm.Site.Tests;

/// <summary>The served site, and every page of it that a reader gets to from the first one.</summary>
public sealed class CrawledSite : IAsyncLifetime
{
    private ServedSite? _site;
    private Browser? _browser;

    internal Uri Address => _site!.Address;
    internal Browser Browser => _browser!;
    internal List<PageView> Pages { get; } = [];

    public async ValueTask InitializeAsync()
    {
        try
        {
            await CrawlAsync(TestContext.Current.CancellationToken);
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        (Browser? browser, _browser) = (_browser, null);
        (ServedSite? site, _site) = (_site, null);
        if (browser is not null)
            await browser.DisposeAsync();
        site?.Dispose();
    }

    private async Task CrawlAsync(CancellationToken cancellation)
    {
        _site = await ServedSite.StartAsync(cancellation);
        _browser = await Browser.StartAsync(cancellation);
        Queue<Uri> next = new([Address]);
        HashSet<Uri> known = [.. next];
        while (next.TryDequeue(out Uri? address))
        {
            PageView page = await PageView.OfAsync(_browser, address, cancellation);
            Pages.Add(page);
            foreach (Uri link in page.Links.Where(link => link.Authority == Address.Authority))
            {
                if (known.Add(PageView.PageOf(link)))
                    next.Enqueue(PageView.PageOf(link));
            }
        }
    }
}
