using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary>The page of <c>minivmm trace html</c>, in a browser without a screen.</summary>
public sealed partial class TracePageTests : IClassFixture<UsableKvm>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_browser_draws_all_of_it_and_less_where_it_is_zoomed_into()
    {
        (await MinivmmProcess.RunAsync("run", "--trace-file", _folder["trace.pftrace"], Built.Guest("hello.elf"))).With(ExitStatus.Success);
        (await MinivmmProcess.RunAsync("trace", "html", _folder["trace.pftrace"])).With(ExitStatus.Success);
        string page = $"file://{_folder["trace.html"]}";

        (int drawn, int blocks) = Drawn(await ShowAsync(page));
        (int zoomed, int same) = Drawn(await ShowAsync($"{page}#0-1000000"));

        Assert.True(blocks > 100);
        Assert.Equal(blocks, drawn);
        Assert.Equal(blocks, same);
        Assert.InRange(zoomed, 0, blocks - 1);
    }

    private static (int Drawn, int Blocks) Drawn(string document)
    {
        Match status = Status().Match(document);
        Assert.True(status.Success, $"the page's script did not run: {document[..Math.Min(document.Length, 2000)]}");
        return (int.Parse(status.Groups["drawn"].Value, CultureInfo.InvariantCulture), int.Parse(status.Groups["blocks"].Value, CultureInfo.InvariantCulture));
    }

    /// <summary>The document as it is when its scripts have run.</summary>
    private async Task<string> ShowAsync(string address)
    {
        ProcessStartInfo start = new("chromium")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string word in (string[])["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            $"--user-data-dir={_folder["profile"]}", "--window-size=1200,900", "--dump-dom", address])
            start.ArgumentList.Add(word);
        Process browser;
        try
        {
            browser = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException("chromium is not there; tests/install-tools chromium installs it", e);
        }

        using (browser)
        {
            Task<string> errors = browser.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            string document = await browser.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await browser.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(browser.ExitCode == 0, await errors);
            return document;
        }
    }

    [GeneratedRegex("(?<drawn>[0-9]+) of (?<blocks>[0-9]+) blocks drawn")]
    private static partial Regex Status();
}
