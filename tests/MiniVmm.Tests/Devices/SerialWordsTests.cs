using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

public sealed class SerialWordsTests
{
    private readonly SerialWords _words = new(divisorLatch: false);

    [Theory]
    [InlineData(0, 'H', true, "transmit 'H'")]
    [InlineData(0, '\n', true, "transmit '\\n'")]
    [InlineData(0, 0x80, true, "transmit 0x80")]
    [InlineData(0, 'x', false, "receive 'x'")]
    [InlineData(1, 0, true, "no interrupts")]
    [InlineData(1, 3, true, "interrupts for received, transmitter empty")]
    [InlineData(2, 0xc7, true, "FIFO on")]
    [InlineData(2, 0xc4, false, "cause: received")]
    [InlineData(3, 0x03, true, "line of 8 bits")]
    [InlineData(4, 0x0b, true, "modem lines DTR, RTS")]
    [InlineData(5, 0x60, false, "status: may transmit")]
    [InlineData(5, 0x61, false, "status: may transmit, received")]
    public void A_register_says_what_is_done_with_it(ulong offset, int value, bool isWrite, string words) =>
        Assert.Equal(words, Say(offset, value, isWrite));

    [Fact]
    public void Behind_the_divisor_latch_the_first_registers_are_the_baud_rate()
    {
        Assert.Equal("open the divisor latch", Say(3, 0x83, true));
        Assert.Equal("divisor 12: 9600 baud", Say(0, 12, true));
        Assert.Equal("divisor 12: 9600 baud", Say(1, 0, true));
        Assert.Equal("line of 8 bits", Say(3, 0x03, true));
        Assert.Equal("transmit 'A'", Say(0, 'A', true));
    }

    [Fact]
    public void A_wide_access_has_no_words() => Assert.Null(_words.Describe(new(0, 2, 0x4141, true)));

    private string? Say(ulong offset, int value, bool isWrite) => _words.Describe(new(offset, 1, (ulong)value, isWrite));
}
