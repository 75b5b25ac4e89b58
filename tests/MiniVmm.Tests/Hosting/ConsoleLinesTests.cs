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

    private static async Task<List<string>> FollowAsync(params string[] writes)
    {
        List<string> taken = [];
        Pipe pipe = new();
        Task following = ConsoleLines.FollowAsync(pipe.Reader.AsStream(), taken.Add);
        foreach (string text in writes)
            await pipe.Writer.WriteAsync(Encoding.UTF8.GetBytes(text), TestContext.Current.CancellationToken);
        await pipe.Writer.CompleteAsync();
        await following;
        return taken;
    }
}
