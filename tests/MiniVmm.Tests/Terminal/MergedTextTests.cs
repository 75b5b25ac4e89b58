using System.Text;
using CsCheck;
using MiniVmm.Terminal;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Terminal;

/// <summary>COM1's bytes are written as they are here, port 0xe9's in brackets.</summary>
public sealed class MergedTextTests
{
    private readonly RecordingSink _sink = new();
    private readonly MergedText _merged;

    public MergedTextTests() => _merged = new MergedText(_sink);

    [Theory]
    [InlineData("Hello\nWorld\n", "Hello\nWorld\n")]
    [InlineData("[Hello\nWorld\n]", "Hello\nWorld\n")]
    [InlineData("Hello\n[Hello\n]", "Hello\n")]
    [InlineData("[Hello\n]Hello\n", "Hello\n")]
    [InlineData("[Hello\n]Hello\r\n", "Hello\n")]
    [InlineData("Hello\r\n[Hello\r\n]", "Hello\r\n")]
    [InlineData("a\nb\nc\n[a\nb\nc\n]", "a\nb\nc\n")]
    [InlineData("[a\nb\nc\n]a\nb\nc\n", "a\nb\nc\n")]
    [InlineData("[tick\n]tick\n[tick\n]tick\n[tick\n]tick\n", "tick\ntick\ntick\n")]
    [InlineData("tick\n[tick\n]tick\n[tick\n]", "tick\ntick\n")]
    [InlineData("tick\n[tick\ntick\n]", "tick\ntick\n")]
    [InlineData("a\n\nb\n[a\n\nb\n]", "a\n\nb\n")]
    [InlineData("[early\n]both\n[both\n]", "early\nboth\n")]
    [InlineData("[early\n][both\n]both\n", "early\nboth\n")]
    public void A_line_that_both_print_is_shown_once(string writes, string shown) => Shows(writes, shown);

    [Theory]
    [InlineData("Hello\n[log 1\n]World\n[log 2\n]", "Hello\nlog 1\nWorld\nlog 2\n")]
    [InlineData("hello\n[hi\n]", "hello\nhi\n")] // what begins alike is not the same
    [InlineData("[hello\n]hi\n", "hello\nhi\n")]
    [InlineData("[hello]", "hello")]
    [InlineData("x\n[hello]", "x\nhello")] // no end of line before the end
    [InlineData("hello\n[hello there]", "hello\nhello there")]
    [InlineData("prompt> [log\n]ls\n", "prompt> log\nls\n")]
    [InlineData("[a\n][b\n]c\na\n", "a\nb\nc\na\n")] // a line that comes after others is no echo
    public void What_one_of_them_prints_is_not_lost(string writes, string shown) => Shows(writes, shown);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Byte_by_byte_in_either_order_is_the_same_text(bool debugFirst)
    {
        const string text = "one\ntwo, and no more\n\nthree";
        foreach (char letter in text)
            Write(debugFirst ? $"[{letter}]{letter}" : $"{letter}[{letter}]");
        _merged.Flush();

        Assert.Equal(text, Shown);
    }

    [Fact]
    public void COM1s_text_is_seen_at_once_and_port_0xe9s_is_while_COM1_is_silent()
    {
        Write("[par]");
        Assert.Equal("par", Shown);
        Write("[t\n]prompt> ");
        Assert.Equal("part\nprompt> ", Shown);
    }

    [Fact]
    public void A_line_without_end_is_shown_when_it_is_too_long_to_keep()
    {
        Write("x\n[" + new string('y', 5000));
        Assert.InRange(Shown.Count(letter => letter == 'y'), 4000, 5000);
        _merged.Flush();
        Assert.Equal("x\n" + new string('y', 5000), Shown);
    }

    [Fact]
    public void Whatever_lines_the_two_print_each_is_shown_as_often_as_by_the_one_that_prints_it_more_often() =>
        Gen.Select(Gen.Bool, Gen.Char['a', 'b'].Array[0, 3]).Array[0, 40].Sample(made =>
        {
            (bool, string)[] writes = [.. made.Select(write => (write.Item1, new string(write.Item2)))];
            RecordingSink sink = new();
            MergedText merged = new(sink);
            foreach ((bool isDebug, string line) in writes)
            {
                foreach (char letter in line + '\n')
                    (isDebug ? merged.Debug : merged.Serial).Write((byte)letter);
            }

            merged.Flush();
            string[] shown = Encoding.UTF8.GetString([.. sink.Bytes]).Split('\n')[..^1];
            foreach (string line in shown.Concat(writes.Select(write => write.Item2)).Distinct())
            {
                int debug = writes.Count(write => write == (true, line));
                int serial = writes.Count(write => write == (false, line));
                Assert.InRange(shown.Count(other => other == line), Math.Max(debug, serial), debug + serial);
            }
        });

    private string Shown => Encoding.UTF8.GetString([.. _sink.Bytes]);

    private void Shows(string writes, string shown)
    {
        Write(writes);
        _merged.Flush();

        Assert.Equal(shown, Shown);
    }

    private void Write(string writes)
    {
        bool debug = false;
        foreach (char letter in writes)
        {
            if (letter is '[' or ']')
                debug = letter == '[';
            else
                (debug ? _merged.Debug : _merged.Serial).Write((byte)letter);
        }
    }
}
