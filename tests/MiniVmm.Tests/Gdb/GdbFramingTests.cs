using System.Text;
using CsCheck;
using MiniVmm.Gdb;

namespace MiniVmm.Tests.Gdb;

public sealed class GdbFramingTests
{
    [Theory]
    [InlineData("$#00", "")]
    [InlineData("$OK#9a", "OK")]
    [InlineData("$g#67", "g")]
    [InlineData("$a}\u0003b#43", "a#b")]
    [InlineData("$qSupported#37", "qSupported")]
    public void A_packet_is_what_is_between_its_marks(string frame, string payload) =>
        Assert.Equal((GdbInput.Packet, payload, frame.Length), Read(frame));

    [Theory]
    [InlineData("", "Incomplete", 0)]
    [InlineData("$OK", "Incomplete", 0)]
    [InlineData("$OK#", "Incomplete", 0)]
    [InlineData("$OK#9", "Incomplete", 0)]
    [InlineData("$OK#9b", "Damaged", 6)]
    [InlineData("$OK#xx", "Damaged", 6)]
    [InlineData("$}#7d", "Damaged", 5)] // an escape of nothing
    [InlineData("+$OK#9a", "Acknowledged", 1)]
    [InlineData("-", "Refused", 1)]
    [InlineData("\u0003", "Interrupt", 1)]
    [InlineData("x$OK#9a", "Noise", 1)]
    public void Anything_else_is_told_apart(string input, string kind, int consumed)
    {
        (GdbInput found, _, int taken) = Read(input);

        Assert.Equal((kind, consumed), (found.ToString(), taken));
    }

    [Fact]
    public void Whatever_is_framed_comes_out_as_it_was() =>
        Gen.Byte.Array[0, 300].Sample(bytes =>
        {
            byte[] frame = new byte[GdbFraming.MostFrame];
            byte[] payload = new byte[GdbFraming.MostPayload];
            int length = GdbFraming.Write(bytes, frame);

            Assert.Equal(GdbInput.Packet, GdbFraming.Read(frame.AsSpan(0, length), payload, out int consumed, out int count));
            Assert.Equal(length, consumed);
            Assert.Equal(bytes, payload[..count]);
            Assert.Equal(-1, frame.AsSpan(1, length - 4).IndexOfAny("$#*"u8));
        });

    [Fact]
    public void The_longest_packets_pass_and_longer_ones_do_not()
    {
        byte[] longest = [.. Enumerable.Repeat((byte)'}', GdbFraming.MostPayload)];
        byte[] frame = new byte[GdbFraming.MostFrame];
        byte[] payload = new byte[GdbFraming.MostPayload];
        int length = GdbFraming.Write(longest, frame);

        Assert.Equal(GdbFraming.MostFrame, length);
        Assert.Equal(GdbInput.Packet, GdbFraming.Read(frame, payload, out _, out int count));
        Assert.Equal(longest.Length, count);
        Assert.Throws<ArgumentOutOfRangeException>(() => GdbFraming.Write(new byte[longest.Length + 1], frame));
        string tooLong = $"${new string('a', GdbFraming.MostPayload + 1)}#";
        byte sum = (byte)tooLong[1..^1].Sum(letter => letter);
        Assert.Equal(GdbInput.Damaged, Read($"{tooLong}{sum:x2}").Kind);
        Assert.Equal(GdbInput.Damaged, Read($"${new string('a', GdbFraming.MostFrame)}").Kind); // and no end in sight
    }

    [Theory]
    [InlineData(-1, "Incomplete")]
    [InlineData(0, "Incomplete")]
    [InlineData(1, "Damaged")]
    [InlineData(2, "Damaged")]
    [InlineData(3, "Damaged")]
    public void A_packet_whose_end_is_beyond_the_longest_is_not_waited_for(int beyond, string kind)
    {
        string input = $"${new string('a', (2 * GdbFraming.MostPayload) + beyond)}#";

        (GdbInput found, _, int taken) = Read(input);

        Assert.Equal((kind, kind == "Damaged" ? input.Length : 0), (found.ToString(), taken));
    }

    [Fact]
    public void No_bytes_whatever_they_are_are_read_past_their_end_or_not_at_all() =>
        Gen.Select(Gen.OneOf(Gen.Byte, Gen.Int[0, 3].Select(i => "$#}0"u8[i])).Array[1, 60], Gen.Int[0, 30]).Sample(
            (bytes, room) =>
            {
                GdbInput kind = GdbFraming.Read(bytes, new byte[room], out int consumed, out int length);

                Assert.InRange(consumed, kind == GdbInput.Incomplete ? 0 : 1, bytes.Length);
                Assert.InRange(length, 0, room);
            });

    private static (GdbInput Kind, string Payload, int Consumed) Read(string input)
    {
        byte[] payload = new byte[GdbFraming.MostPayload];
        GdbInput kind = GdbFraming.Read(Encoding.Latin1.GetBytes(input), payload, out int consumed, out int length);
        return (kind, Encoding.Latin1.GetString(payload, 0, length), consumed);
    }
}
