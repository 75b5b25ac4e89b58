using System.Xml.Linq;
using MiniVmm.Demo;

namespace MiniVmm.Tests.Demo;

/// <summary>Frames of a terminal as a picture that moves.</summary>
public sealed class SvgAnimationTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    [Fact]
    public void A_row_is_a_strip_with_all_that_it_shows_once()
    {
        XElement picture = Draw(At(0, "a"), At(1, "b"), At(2, "a"), At(7, ""));
        string style = picture.Element(Svg + "style")!.Value;

        Assert.Equal(["a", "b"], Texts(picture));
        Assert.Contains("@keyframes r0{0%{transform:translate(0px,0px)}10%{transform:translate(0px,-17px)}20%{transform:translate(0px,0px)}"
            + "70%{transform:translate(0px,-34px)}}", style, StringComparison.Ordinal);
        Assert.Contains("animation-duration:10s", style, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_nothing_moves_the_frame_stays_that_is_shown_longest()
    {
        XElement picture = Draw(At(0, "a"), At(1, "b"), At(9, "c"));

        Assert.Equal("translate(0,-17)", picture.Descendants(Svg + "g").Single().Attribute("transform")!.Value);
        Assert.Contains("prefers-reduced-motion", picture.Element(Svg + "style")!.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_change_does_not_move()
    {
        XElement picture = Draw(At(0, "a"), At(1, "a"));

        Assert.Null(picture.Descendants(Svg + "g").Single().Attribute("class"));
        Assert.DoesNotContain("@keyframes", picture.Element(Svg + "style")!.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_stays_text()
    {
        XElement picture = Draw(At(0, "<script>&amp;\"'"));

        Assert.Equal(["<script>&amp;\"'"], Texts(picture));
    }

    [Fact]
    public void A_recording_without_a_frame_is_refused() =>
        Assert.Equal("nothing is shown in it", Assert.Throws<FormatException>(() => Draw()).Message);

    private static Frame At(double time, string text) =>
        new(time, [text.Length == 0 ? [] : [new Piece(0, text, default)]], CursorColumn: -1, CursorRow: 0);

    private static XElement Draw(params Frame[] frames) =>
        XElement.Parse(new SvgAnimation(new Cast(20, 1, "title", 5, []), frames).ToString());

    private static string[] Texts(XElement picture) => [.. picture.Descendants(Svg + "g").Descendants(Svg + "text").Select(text => text.Value)];
}
