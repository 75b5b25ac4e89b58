using System.IO.Pipelines;
using System.Text;
using MiniVmm.Hosting;

namespace MiniVmm.Tests.Hosting;

public sealed class ConsoleLinesTests
{
    [Fact]
    public async Task Lines_come_whole_without_their_ends_and_to_the_last_one() =>
        Assert.Equal(["one", "", "two", "last"], await FollowAsync("one\r\n\n", "tw", "o\nlast"));

    [Fact]
    public async Task A_guest_cannot_control_the_terminal_that_shows_the_log() =>
        Assert.Equal(["a\ufffd[2Jb\tc\ufffd"], await FollowAsync("a\u001b[2Jb\tc\u007f\n"));

    [Fact]
    public async Task A_line_without_an_end_comes_in_pieces() =>
        Assert.Equal(
            [ConsoleLines.LongestLine, 1],
            (await FollowAsync(new string('x', ConsoleLines.LongestLine + 1))).Select(line => line.Length));

    [Theory]
    [InlineData("é")]
    [InlineData("€")]
    [InlineData("😀")]
    public async Task A_piece_ends_with_a_whole_letter(string letter)
    {
        string start = new('x', ConsoleLines.LongestLine - Encoding.UTF8.GetByteCount(letter) + 1);

        Assert.Equal([start, letter + "y"], await FollowAsync(start + letter + "y\n"));
    }

    [Fact]
    public async Task A_guest_that_prints_no_text_is_followed_to_its_end() => Assert.Equal(
        2 * ConsoleLines.LongestLine,
        string.Concat(await FollowAsync(Enumerable.Repeat((byte)0xc3, 2 * ConsoleLines.LongestLine).ToArray())).Length);

    [Fact]
    public async Task A_carriage_return_is_no_text_on_either_side_of_the_line() =>
        Assert.Equal(["one", "two"], await FollowAsync("one\n\rtwo\n\r"));

    private static Task<List<string>> FollowAsync(params string[] writes) =>
        FollowAsync([.. writes.Select(Encoding.UTF8.GetBytes)]);

    private static async Task<List<string>> FollowAsync(params byte[][] writes)
    {
        List<string> taken = [];
        Pipe pipe = new();
        Task following = ConsoleLines.FollowAsync(pipe.Reader.AsStream(), taken.Add);
        foreach (byte[] text in writes)
            await pipe.Writer.WriteAsync(text, TestContext.Current.CancellationToken);
        await pipe.Writer.CompleteAsync();
        await following;
        return taken;
    }
}
