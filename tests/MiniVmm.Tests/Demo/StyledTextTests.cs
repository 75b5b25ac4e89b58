using CsCheck;
using MiniVmm.Demo;

namespace MiniVmm.Tests.Demo;

/// <summary>Lines with colours, as they become pieces of one look.</summary>
public sealed class StyledTextTests
{
    private static readonly string[] Parts = ["\e", "[", "m", ";", "38", "5", "2", "999", "a", " ", "█", "😀", "("];

    [Theory]
    [InlineData("plain", "0:plain")]
    [InlineData("  set in  ", "2:set in")]
    [InlineData("\e[32m$\e[0;1m ls", "0:$/3fb950 2:ls/bold")]
    [InlineData("\e[1mbold\e[22m not", "0:bold/bold 5:not")]
    [InlineData("\e[91ma\e[39mb", "0:a/ffa198 1:b")]
    [InlineData("\e[38;5;196ma\e[38;5;232mb\e[38;2;1;2;255mc", "0:a/ff0000 1:b/080808 2:c/0102ff")]
    [InlineData("\e[44m x \e[49my", "0: x /on 58a6ff 3:y")]
    [InlineData("\e[7mx\e[27my", "0:x/0d1117/on c9d1d9 1:y")]
    [InlineData("ab██c", "0:ab 2:██ 4:c")]
    [InlineData("\e=a\u000eb\e[?25lc", "0:ab 2:c")]
    public void A_line_is_read(string line, string pieces) => Assert.Equal(pieces, Text(new StyledText().Read(line)));

    [Fact]
    public void What_is_set_in_a_line_holds_for_the_next()
    {
        StyledText text = new();
        text.Read("\e[31ma");

        Assert.Equal("0:b/ff7b72", Text(text.Read("b")));
    }

    [Fact]
    public void Any_line_can_be_read() =>
        Gen.Int[0, Parts.Length - 1].Select(index => Parts[index]).Array.Sample(parts =>
            Assert.All(new StyledText().Read(string.Concat(parts)), piece => Assert.NotEqual("", piece.Text)));

    private static string Text(IEnumerable<Piece> pieces) => string.Join(' ', pieces.Select(piece =>
        $"{piece.Column}:{piece.Text}{(piece.Look.Foreground is { } colour ? $"/{colour}" : "")}{(piece.Look.Background is { } behind ? $"/on {behind}" : "")}{(piece.Look.Bold ? "/bold" : "")}"));
}
