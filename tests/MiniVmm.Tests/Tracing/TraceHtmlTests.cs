using System.Text.Json;
using System.Text.RegularExpressions;
using MiniVmm.Tracing;
using MiniVmm.Tracing.Files;

namespace MiniVmm.Tests.Tracing;

/// <summary>The page of a trace, as text; a browser looks at it in the guests' tests.</summary>
public sealed class TraceHtmlTests
{
    [Fact]
    public void The_page_has_a_block_for_each_event_and_the_tables()
    {
        string page = TraceHtml.Of(Trace(10));

        Assert.Equal(10 * 7, Data(page).GetProperty("slices").GetArrayLength());
        Assert.Equal(["vCPU 0"], Data(page).GetProperty("tracks").EnumerateArray().Select(track => track.GetString()));
        Assert.Contains("<td>KVM_EXIT_IO</td><td class=\"n\">10</td>", page);
        Assert.DoesNotContain("{{", page);
    }

    [Fact]
    public void It_asks_the_network_for_nothing()
    {
        string page = TraceHtml.Of(Trace(1));

        Assert.Contains("default-src 'none'", page);
        Assert.DoesNotMatch(@"(src|href)=|https?:|@import|url\(|fetch\(", Regex.Replace(page, "<meta http-equiv=[^>]*>", ""));
    }

    [Fact]
    public void A_long_trace_is_drawn_in_blocks_and_says_so()
    {
        string page = TraceHtml.Of(Trace(TraceHtml.MostBlocks * 2 + 1));

        int blocks = Data(page).GetProperty("slices").GetArrayLength() / 7;
        Assert.InRange(blocks, TraceHtml.MostBlocks / 2, TraceHtml.MostBlocks);
        Assert.Contains("has 100001 events: each block of the timeline is up to 3", page);
        Assert.Equal(100_001, Data(page).GetProperty("slices").EnumerateArray().Where((_, index) => index % 7 == 6).Sum(events => events.GetInt32()));
    }

    [Fact]
    public void Names_from_a_guest_or_a_file_cannot_become_markup()
    {
        TraceContents trace = Trace(0);
        trace.Items.Add(new()
        {
            Kind = TraceEventKind.PortWrite,
            Thread = "</script><b>",
            Vcpu = 0,
            Reason = "<i>",
            Device = "<script>alert(1)</script>",
            Words = "</script>",
            Symbol = "<u>",
            Rip = 1,
        });

        string page = TraceHtml.Of(trace);

        Assert.Equal(2, Regex.Count(page, "</script>"));
        Assert.DoesNotMatch("<(b|i|u)>|<script>alert", page);
    }

    private static JsonElement Data(string page)
    {
        string text = Regex.Match(page, "id=\"data\">(.*?)</script>").Groups[1].Value;
        using JsonDocument document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    private static TraceContents Trace(int exits)
    {
        TraceContents trace = new() { Path = "/tmp/some.json", Filter = "all", IsWhole = true };
        for (int i = 0; i < exits; i++)
        {
            trace.Items.Add(new()
            {
                Kind = TraceEventKind.PortWrite,
                Thread = "vCPU 0",
                Vcpu = 0,
                Reason = "KVM_EXIT_IO",
                Address = 0x80,
                At = i * 1000L,
                Took = 200,
                Ran = 500,
            });
        }

        return trace;
    }
}
