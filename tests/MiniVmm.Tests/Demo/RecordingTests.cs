using System.Xml.Linq;
using MiniVmm.Demo;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Demo;

/// <summary>The recording in the README, as `make demo` left it in docs/demo.</summary>
public sealed class RecordingTests
{
    private static readonly string CastText = File.ReadAllText(Path.Combine(Repository.Root, "docs/demo/demo.cast"));
    private static readonly string SvgText = File.ReadAllText(Path.Combine(Repository.Root, "docs/demo/demo.svg"));

    [Fact]
    public void It_is_an_asciicast_of_a_minute()
    {
        Cast cast = Cast.Parse(CastText);

        Assert.InRange(cast.Steps().Last().Time, 40, 90);
        Assert.Equal((116, 30), (cast.Columns, cast.Rows));
    }

    [Theory]
    [InlineData("hello: ok")]
    [InlineData("unhandled: #PF could not be delivered: there is no IDT")]
    [InlineData("COM1: transmit 'H'")]
    [InlineData("by function")]
    [InlineData("3 machines, ")]
    [InlineData("KVM_EXIT_MMIO")]
    [InlineData("guest RAM")]
    public void It_shows_a_boot_a_crash_explained_a_trace_and_top(string text)
    {
        Assert.Contains(text, string.Concat(Cast.Parse(CastText).Output.Select(output => output.Text)), StringComparison.Ordinal);
        Assert.Contains(XElement.Parse(SvgText).DescendantNodes().OfType<XText>(), node => node.Value.Contains(text, StringComparison.Ordinal));
    }

    [Fact]
    public void It_tells_nothing_of_the_machine_that_it_was_made_on() =>
        Assert.All([CastText, SvgText], text => Assert.DoesNotMatch(@"/(home|root|tmp|work)\b|@", text.Replace("@media", "").Replace("@keyframes", "")));

    [Fact]
    public void The_picture_is_small_and_has_no_script_and_nothing_from_elsewhere()
    {
        XElement picture = XElement.Parse(SvgText);

        Assert.InRange(SvgText.Length, 1, 150_000);
        Assert.Equal(["circle", "g", "rect", "style", "svg", "text", "title"],
            picture.DescendantsAndSelf().Select(element => element.Name.LocalName).Distinct().Order());
        Assert.DoesNotContain(picture.DescendantsAndSelf().Attributes(),
            attribute => attribute.Name.LocalName is "href" or "src" || attribute.Name.LocalName.StartsWith("on", StringComparison.Ordinal));
        Assert.DoesNotMatch(@"url\(|@import", SvgText);
    }

    [Fact]
    public void The_readme_shows_it() =>
        Assert.Contains("(docs/demo/demo.svg)", File.ReadAllText(Path.Combine(Repository.Root, "README.md")), StringComparison.Ordinal);
}
