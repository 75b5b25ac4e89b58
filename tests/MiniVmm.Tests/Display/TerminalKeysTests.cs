using System.Text;
using CsCheck;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Display;

public sealed class TerminalKeysTests
{
    private readonly I8042 _controller = new(new RecordingPower());

    private TerminalKeys Keys => new(_controller);

    [Theory]
    [InlineData("a", "1e 9e")]
    [InlineData("A", "2a 1e 9e aa")]
    [InlineData("\r", "1c 9c")]
    [InlineData("\t", "0f 8f")]
    [InlineData("\u007f", "0e 8e")]
    [InlineData("\u0003", "1d 2e ae 9d")] // Ctrl-C
    [InlineData("\u001a", "1d 2c ac 9d")] // Ctrl-Z
    [InlineData("\u001c", "1d 2b ab 9d")] // Ctrl-\
    [InlineData("\0", "1d 39 b9 9d")] // Ctrl-space
    [InlineData("\u001b", "01 81")]
    [InlineData("\u001bx", "38 2d ad b8")] // Alt-x
    [InlineData("\u001b\u001b", "01 81 01 81")]
    [InlineData("\u001b[A\u001bOB", "e0 48 e0 c8 e0 50 e0 d0")]
    [InlineData("\u001b[H\u001b[4~", "e0 47 e0 c7 e0 4f e0 cf")]
    [InlineData("\u001b[5~\u001b[3~", "e0 49 e0 c9 e0 53 e0 d3")]
    [InlineData("\u001bOP\u001b[15~\u001b[17~\u001b[24~", "3b bb 3f bf 40 c0 58 d8")]
    [InlineData("\u001b[[C", "3d bd")]
    [InlineData("\u001b[1;5C", "1d e0 4d e0 cd 9d")]
    [InlineData("\u001b[3;3~", "38 e0 53 e0 d3 b8")]
    [InlineData("\u001b[Z", "2a 0f 8f aa")]
    [InlineData("éa", "1e 9e")] // a US keyboard has no é
    [InlineData("\u001b[999999999999999999999~b", "30 b0")]
    public void What_a_terminal_sends_is_a_key(string typed, string codes)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(typed);

        Assert.Equal(bytes.Length, Keys.Receive(bytes));

        Assert.Equal(codes, Codes());
    }

    [Fact]
    public void A_break_is_SysRq()
    {
        Keys.SendBreak();

        Assert.Equal("38 54 d4 b8", Codes());
    }

    [Fact]
    public void What_the_guest_has_no_room_for_waits()
    {
        byte[] much = new byte[5000];
        Array.Fill(much, (byte)'x');

        int taken = Keys.Receive(much);

        Assert.InRange(taken, 1000, 1400);
        Assert.Equal(0, Keys.Receive(much.AsSpan(taken)));
        Codes();
        Assert.True(Keys.Receive(much.AsSpan(taken)) > 0);
    }

    [Fact]
    public void Whatever_is_typed_every_byte_is_taken_and_every_key_released() => Gen.Byte.Array[0, 40].Sample(bytes =>
    {
        I8042 controller = new(new RecordingPower());
        int taken = 0;
        while (taken < bytes.Length)
        {
            int now = new TerminalKeys(controller).Receive(bytes.AsSpan(taken));
            Assert.InRange(now, 1, bytes.Length - taken);
            taken += now;
        }

        HashSet<int> down = [];
        int prefix = 0;
        while ((controller.In(4) & 1) != 0)
        {
            int code = (int)controller.In(0);
            if (code == 0xe0)
            {
                prefix = 0xe000;
                continue;
            }

            _ = code < 0x80 ? down.Add(prefix | code) : down.Remove(prefix | (code & 0x7f));
            prefix = 0;
        }

        Assert.Empty(down);
    });

    private string Codes()
    {
        List<string> codes = [];
        while ((_controller.In(4) & 1) != 0)
            codes.Add($"{_controller.In(0):x2}");
        return string.Join(' ', codes);
    }
}
