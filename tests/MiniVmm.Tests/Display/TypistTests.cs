using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Display;

public sealed class TypistTests
{
    private readonly I8042 _controller = new(new RecordingPower());

    private Typist Typist => new(_controller);

    [Theory]
    [InlineData("a", "1e 9e")]
    [InlineData("A", "2a 1e 9e aa")]
    [InlineData("1!", "02 82 2a 02 82 aa")]
    [InlineData("\n", "1c 9c")]
    [InlineData(" ~`", "39 b9 2a 29 a9 aa 29 a9")]
    [InlineData("m,./", "32 b2 33 b3 34 b4 35 b5")]
    [InlineData("'\"\\|", "28 a8 2a 28 a8 aa 2b ab 2a 2b ab aa")]
    public void A_letter_is_its_key_of_a_US_keyboard_with_Shift_where_it_takes_that(string text, string codes)
    {
        Typist.Type(text);

        Assert.Equal(codes, Codes());
    }

    [Theory]
    [InlineData("ctrl-c", "1d 2e ae 9d")]
    [InlineData("ctrl-alt-delete", "1d 38 e0 53 e0 d3 b8 9d")]
    [InlineData("up ret", "e0 48 e0 c8 1c 9c")]
    [InlineData("F1 f10 f11 f12", "3b bb 44 c4 57 d7 58 d8")]
    [InlineData("q p a l z m 1 0", "10 90 19 99 1e 9e 26 a6 2c ac 32 b2 02 82 0b 8b")]
    public void Keys_have_QEMUs_names(string keys, string codes)
    {
        Typist.Press(keys);

        Assert.Equal(codes, Codes());
    }

    [Theory]
    [InlineData("ctrl-hyper", "ctrl-hyper: there is no key 'hyper'; keys are ")]
    [InlineData("f13", "f13: there is no key 'f13'; keys are ")]
    [InlineData("ctrl-", "ctrl-: there is no key ''; keys are ")]
    [InlineData("a-b-c-d-e-f-g-h-i", "a-b-c-d-e-f-g-h-i: 9 keys together; at most 8")]
    public void Another_name_is_an_error_and_nothing_is_pressed(string keys, string message)
    {
        Assert.StartsWith(
            message, Assert.Throws<BadInputException>(() => Typist.Press("a " + keys)).Message, StringComparison.Ordinal);
        Assert.Equal("", Codes());
    }

    [Fact]
    public void A_letter_that_has_no_key_is_an_error_and_nothing_is_typed()
    {
        Assert.Equal(
            "a US keyboard has no key for 'ß' (U+00DF)", Assert.Throws<BadInputException>(() => Typist.Type("aß")).Message);
        Assert.Equal("", Codes());
    }

    [Fact]
    public void Every_printable_letter_of_ASCII_has_a_key_of_its_own()
    {
        HashSet<(ScanCode, bool)> keys = [];
        for (char letter = ' '; letter < 0x7f; letter++)
        {
            Assert.True(UsKeyboard.TryFind(letter, out ScanCode key, out bool shift), $"{letter}");
            Assert.True(keys.Add((key, shift)), $"{letter}");
        }
    }

    [Fact]
    public void A_guest_that_does_not_read_its_keyboard_is_reported()
    {
        string refusal = Assert.Throws<HostLimitException>(() => Typist.Type(new string('x', 5000))).Message;

        Assert.Matches("^the guest does not read its keyboard: 409[0-9] bytes of scan codes wait$", refusal);
    }

    private string Codes()
    {
        List<string> codes = [];
        while ((_controller.In(4) & 1) != 0)
            codes.Add($"{_controller.In(0):x2}");
        return string.Join(' ', codes);
    }
}
