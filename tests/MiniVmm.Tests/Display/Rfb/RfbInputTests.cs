using MiniVmm.Devices;
using MiniVmm.Display.Rfb;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Display.Rfb;

public sealed class RfbInputTests
{
    private readonly I8042 _controller = new(new RecordingPower());

    [Theory]
    [InlineData('a', "1e")]
    [InlineData('A', "1e")] // Shift is a key of its own
    [InlineData('!', "02")]
    [InlineData(0xff0d, "1c")]
    [InlineData(0xff52, "e0 48")]
    [InlineData(0xffc9, "58")]
    [InlineData(0xffe1, "2a")]
    [InlineData(0xffb5, "4c")]
    [InlineData(0x20ac, "")] // the euro
    public void A_keysym_is_its_key_of_a_US_keyboard(uint keysym, string codes)
    {
        new RfbInput(_controller).Key(keysym, down: true);

        Assert.Equal(codes, Codes());
    }

    [Fact]
    public void A_key_that_is_held_repeats_and_is_released_with_the_client()
    {
        RfbInput input = new(_controller);
        input.Key('a', down: true);
        input.Key('a', down: true);
        input.Key('b', down: false); // never pressed
        Assert.Equal("1e 1e", Codes());

        input.ReleaseAll();

        Assert.Equal("9e", Codes());
    }

    [Fact]
    public void A_pointer_moves_the_mouse_by_the_way_it_goes_and_turns_its_wheel()
    {
        _controller.Out(4, 0xd4);
        _controller.Out(0, 0xf4);
        Codes();
        RfbInput input = new(_controller);

        input.Pointer(100, 100, 0);
        Assert.Equal("", Codes()); // it was not elsewhere before
        input.Pointer(110, 95, 0);
        Assert.Equal("08 0a 05", Codes());
        input.Pointer(110, 95, 0x05); // left and right
        Assert.Equal("0b 00 00", Codes());
    }

    private string Codes()
    {
        List<string> codes = [];
        while ((_controller.In(4) & 1) != 0)
            codes.Add($"{_controller.In(0):x2}");
        return string.Join(' ', codes);
    }
}
