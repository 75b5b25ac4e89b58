using CsCheck;
using MiniVmm.Display;
using MiniVmm.Display.Rfb;

namespace MiniVmm.Tests.Display.Rfb;

public sealed class RfbSessionTests
{
    private readonly Recorder _input = new();

    [Fact]
    public void A_client_gets_the_picture_and_then_what_changes_of_it()
    {
        using RfbSession session = Started(out RfbClient client, 100, 70, 16, 0);
        ScreenImage image = Image(100, 70, i => (uint)i);

        session.Receive(RfbClient.Request(incremental: false));
        Assert.Equal(4, client.TakeUpdate(Sent(session, image)));
        Assert.Equal(image.Pixels.ToArray(), client.Pixels);

        session.Receive(RfbClient.Request(incremental: true));
        Assert.Equal(0, client.TakeUpdate(Sent(session, Image(100, 70, i => (uint)i))));
        ScreenImage changed = Image(100, 70, i => i == 6999 ? 0xffffffu : (uint)i);
        Assert.Equal(1, client.TakeUpdate(Sent(session, changed)));
        Assert.Equal(changed.Pixels.ToArray(), client.Pixels);
        Assert.Empty(Sent(session, image)); // nobody asked
    }

    [Fact]
    public void Any_pictures_arrive_as_they_are_in_both_encodings() =>
        Gen.Select(Gen.Int[1, 140], Gen.Int[1, 140], Gen.Int[0, 20], Gen.Int.Array[1, 4], Gen.Bool).Sample(
            (width, height, colours, seeds, zrle) =>
            {
                using RfbSession session = Started(out RfbClient client, width, height, zrle ? 16 : 0);
                foreach (int seed in seeds)
                {
                    Random random = new(seed);
                    ScreenImage image = Image(width, height, _ => (uint)random.Next(colours + 1) * 0x012345 & 0xff_ffff);
                    session.Receive(RfbClient.Request(incremental: seed % 2 == 0));
                    client.TakeUpdate(Sent(session, image));
                    Assert.Equal(image.Pixels.ToArray(), client.Pixels);
                }
            });

    [Fact]
    public void Another_size_is_told_to_a_client_that_takes_sizes()
    {
        using RfbSession session = Started(out RfbClient client, 40, 30, RfbClient.Encodings);
        ScreenImage larger = Image(80, 60, i => (uint)i);

        session.Receive(RfbClient.Request(incremental: true));
        Assert.Equal(1, client.TakeUpdate(Sent(session, larger)));
        Assert.Equal((80, 60), (client.Width, client.Height));
        session.Receive(RfbClient.Request(incremental: true));
        client.TakeUpdate(Sent(session, larger));

        Assert.Equal(larger.Pixels.ToArray(), client.Pixels);
    }

    [Theory]
    [InlineData(80, 60)]
    [InlineData(20, 10)]
    public void A_client_that_takes_no_sizes_gets_what_fits(int width, int height)
    {
        using RfbSession session = Started(out RfbClient client, 40, 30, 0);

        session.Receive(RfbClient.Request(incremental: false));
        client.TakeUpdate(Sent(session, Image(width, height, _ => 7)));

        Assert.Equal((40, 30), (client.Width, client.Height));
        Assert.Equal(Math.Min(40, width) * Math.Min(30, height), client.Pixels.Count(dot => dot == 7));
    }

    [Theory]
    [InlineData(16, 16, false, "1f00", 0x0000ff)]
    [InlineData(16, 16, true, "001f", 0x0000ff)]
    [InlineData(16, 16, false, "00f8", 0xff0000)]
    [InlineData(16, 16, false, "e007", 0x00ff00)]
    [InlineData(8, 8, false, "07", 0xff0000)]
    [InlineData(8, 8, false, "c0", 0x0000ff)]
    [InlineData(32, 24, true, "00123456", 0x123456)]
    public void Dots_are_as_the_client_wants_them(int bits, int depth, bool big, string bytes, uint colour)
    {
        using RfbSession session = Started(out _, 1, 1, 0);
        session.Receive(bits switch
        {
            8 => RfbClient.SetPixelFormat(8, depth, big, (7, 0), (7, 3), (3, 6)),
            16 => RfbClient.SetPixelFormat(16, depth, big, (31, 11), (63, 5), (31, 0)),
            _ => RfbClient.SetPixelFormat(32, depth, big, (255, 16), (255, 8), (255, 0)),
        });
        session.Receive(RfbClient.Request(incremental: false));

        Assert.Equal(bytes, Convert.ToHexStringLower(Sent(session, Image(1, 1, _ => colour))[16..]));
    }

    [Theory]
    [InlineData("RFB 003.003\n", 4)]
    [InlineData("RFB 003.005\n", 4)] // some say so, and mean 3.3
    [InlineData("RFB 003.007\n", 2)]
    public void An_older_client_is_served_as_it_knows(string version, int security)
    {
        using RfbSession session = new("old", 10, 10, _input);
        Taken(session);
        session.Receive(System.Text.Encoding.ASCII.GetBytes(version));
        Assert.Equal(security, Taken(session).Length);
        if (security == 2)
            session.Receive(RfbClient.Choose);
        Assert.Empty(Taken(session)); // no result of a security that there is not
        session.Receive(RfbClient.Init);

        Assert.Equal(24 + 3, Taken(session).Length);
        Assert.False(session.HasEnded);
    }

    [Fact]
    public void Keys_and_pointer_go_to_the_guest_and_a_text_that_was_cut_does_not()
    {
        using RfbSession session = Started(out _, 100, 100, 0);

        session.Receive(RfbClient.Key('A', down: true));
        session.Receive([6, 0, 0, 0, 0, 0, 0, 8, .. RfbClient.Key('B', down: true)]); // eight letters that look like a key
        session.Receive(RfbClient.Key('A', down: false));
        session.Receive(RfbClient.Pointer(3, 4, 1));

        Assert.Equal(["press 41", "release 41", "at 3,4 1"], _input.Seen);
    }

    [Theory]
    [InlineData("HTTP/1.1 GET /")]
    [InlineData("RFB 004.000\n")]
    public void Another_protocol_ends_the_session(string text)
    {
        using RfbSession session = new("x", 10, 10, _input);

        session.Receive(System.Text.Encoding.ASCII.GetBytes(text));

        Assert.True(session.HasEnded);
    }

    [Theory]
    [InlineData("01")] // FixColourMapEntries, which nobody sends
    [InlineData("ff")]
    [InlineData("02000401")] // more encodings than there are
    [InlineData("0000000020180001000000000000000000000000")] // a colour map
    [InlineData("0000000018180001 00ff00ff00ff100800000000")] // 24 bits
    [InlineData("0000000020180001 00ff00ff00ff400800000000")] // red beyond the dot
    [InlineData("0000000020180001 00fe00ff00ff100800000000")] // no whole bits
    public void A_message_that_is_none_ends_the_session(string hex)
    {
        using RfbSession session = Started(out _, 10, 10, 0);

        session.Receive(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)));

        Assert.True(session.HasEnded);
    }

    [Fact]
    public void Whatever_a_client_sends_the_session_answers_or_ends() => Gen.Byte.Array[0, 200].Array[0, 6].Sample(parts =>
    {
        using RfbSession session = new("fuzz", 70, 70, new Recorder());
        session.Receive(RfbClient.Version);
        session.Receive(RfbClient.Choose);
        session.Receive(RfbClient.Init);
        session.Sent();
        foreach (byte[] part in parts)
        {
            session.Receive(part);
            session.Update(Image(70, 70, i => (uint)(i + part.Length)));
            Assert.InRange(session.Output.Length, 0, 200_000);
            session.Sent();
        }
    });

    [Fact]
    public void It_makes_no_difference_how_the_bytes_are_cut() => Gen.Select(Messages, Gen.Int[1, 30]).Sample((messages, size) =>
    {
        byte[] all = [.. messages.SelectMany(message => message)];
        List<string> whole = Run([all]), cut = Run(all.Chunk(size));
        Assert.Equal(whole, cut);
    });

    private static readonly Gen<byte[][]> Messages = Gen.OneOf(
        Gen.Const(RfbClient.SetEncodings(RfbClient.Encodings)),
        Gen.Const(RfbClient.Request(incremental: true)),
        Gen.Select(Gen.UInt, Gen.Bool, RfbClient.Key),
        Gen.Select(Gen.Int[0, 65535], Gen.Int[0, 65535], Gen.Byte, RfbClient.Pointer),
        Gen.Byte.Array[0, 50].Select(text => (byte[])[6, 0, 0, 0, 0, 0, 0, (byte)text.Length, .. text])).Array[1, 12];

    private static List<string> Run(IEnumerable<byte[]> parts)
    {
        Recorder input = new(); // samples are taken side by side
        using RfbSession session = Started(input, out _, 10, 10, 0);
        foreach (byte[] part in parts)
            session.Receive(part);
        return [.. input.Seen, $"{session.HasEnded} {session.WantsUpdate}"];
    }

    private RfbSession Started(out RfbClient client, int width, int height, params int[] encodings) =>
        Started(_input, out client, width, height, encodings);

    private static RfbSession Started(Recorder input, out RfbClient client, int width, int height, params int[] encodings)
    {
        RfbSession session = new("test", width, height, input);
        session.Receive(RfbClient.Version);
        session.Receive(RfbClient.Choose);
        session.Receive(RfbClient.Init);
        client = new RfbClient();
        Assert.Equal(0, client.TakeStart(Taken(session)).Length);
        Assert.Equal((width, height, "test"), (client.Width, client.Height, client.Name));
        session.Receive(RfbClient.SetEncodings(encodings));
        return session;
    }

    private static byte[] Sent(RfbSession session, ScreenImage image)
    {
        session.Update(image);
        return Taken(session);
    }

    private static byte[] Taken(RfbSession session)
    {
        byte[] bytes = session.Output.ToArray();
        session.Sent();
        return bytes;
    }

    private static ScreenImage Image(int width, int height, Func<int, uint> dot) =>
        new(width, height, [.. Enumerable.Range(0, width * height).Select(dot)]);

    private sealed class Recorder : IRfbInput
    {
        public List<string> Seen { get; } = [];

        public void Key(uint keysym, bool down) => Seen.Add($"{(down ? "press" : "release")} {keysym:x}");

        public void Pointer(int x, int y, byte buttons) => Seen.Add($"at {x},{y} {buttons:x}");
    }
}
