using MiniVmm.Demo;

namespace MiniVmm.Tests.Demo;

/// <summary>Terminal recordings as they are read: asciicast, version 2.</summary>
public sealed class CastTests
{
    private const string Header = """{"version": 2, "width": 80, "height": 24, "title": "a title", "idle_time_limit": 2}""";

    [Fact]
    public void A_recording_has_a_header_and_what_was_written()
    {
        Cast cast = Cast.Parse($"{Header}\n[0.5, \"o\", \"a\\u001b[1m\"]\n[0.6, \"i\", \"x\"]\n[0.7, \"o\", \"b\"]\n");

        Assert.Equal((80, 24, "a title", 2.0), (cast.Columns, cast.Rows, cast.Title, cast.IdleLimit));
        Assert.Equal([(0.5, "a\e[1m"), (0.7, "b")], cast.Output);
    }

    [Fact]
    public void What_is_written_close_together_is_one_step_and_long_pauses_are_cut()
    {
        Cast cast = Cast.Parse($"{Header}\n[0.1, \"o\", \"a\"]\n[0.12, \"o\", \"b\"]\n[0.2, \"o\", \"c\"]\n[60, \"o\", \"d\"]\n");

        Assert.Equal([(0.1, "ab"), (0.2, "c"), (2.2, "d")], cast.Steps().Select(step => (Math.Round(step.Time, 3), step.Output)));
    }

    [Theory]
    [InlineData("", "line 1: not the header of an asciicast of version 2")]
    [InlineData("[0, \"o\", \"\"]", "line 1: not the header of an asciicast of version 2")]
    [InlineData("{\"version\": 3}", "line 1: not the header of an asciicast of version 2")]
    [InlineData("{\"version\": 2, \"width\": 0, \"height\": 24}", "line 1: width and height are to be 1 to 500")]
    [InlineData("{\"version\": 2, \"width\": 1e300, \"height\": 24}", "line 1: width and height are to be 1 to 500")]
    [InlineData(Header + "\n[0, \"o\"", "line 2: not JSON")]
    [InlineData(Header + "\n[0, \"o\"]", "line 2: not [time, kind, data]")]
    [InlineData(Header + "\n[1, \"o\", \"\"]\n[0.5, \"o\", \"\"]", "line 3: time goes back, from 1 to 0.5")]
    [InlineData(Header + "\n[-1, \"o\", \"\"]", "line 2: time goes back, from 0 to -1")]
    public void What_is_no_recording_is_refused_with_its_line(string text, string message) =>
        Assert.Equal(message, Assert.Throws<FormatException>(() => Cast.Parse(text)).Message);
}
