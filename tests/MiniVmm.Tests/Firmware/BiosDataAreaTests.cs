using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Firmware;

public sealed class BiosDataAreaTests
{
    private static readonly GuestMemoryMap Memory = new(64 * MemoryLayout.MiB);

    [Fact]
    public void It_says_what_a_kernel_for_PCs_looks_for()
    {
        GuestView guest = new(BiosDataArea.Build(Memory));

        Assert.Equal(0x3f8, guest.U16(0x400));
        Assert.Equal(0, guest.U16(0x402)); // no COM2
        Assert.Equal(0x9fc00, guest.U16(0x40e) << 4);
        Assert.Equal(0b0000_0010_0010_0110, guest.U16(0x410)); // one serial port, 80x25 in colour, PS/2 mouse, coprocessor
        Assert.Equal(639, guest.U16(0x413));
        Assert.Equal(3, guest.U8(0x449));
        Assert.Equal(80, guest.U16(0x44a));
        Assert.Equal(0x1000, guest.U16(0x44c));
        Assert.Equal(0, guest.U16(0x450));
        Assert.Equal(0x0607, guest.U16(0x460));
        Assert.Equal(0x3d4, guest.U16(0x463));
        Assert.Equal(0, guest.U8(0x475));
        Assert.Equal(24, guest.U8(0x484));
        Assert.Equal(16, guest.U16(0x485));
    }

    [Fact]
    public void The_keyboards_ring_is_empty_and_lies_in_it()
    {
        GuestView guest = new(BiosDataArea.Build(Memory));

        Assert.Equal((0x1e, 0x1e), (guest.U16(0x41a), guest.U16(0x41c))); // head, tail
        Assert.Equal((0x1e, 0x3e), (guest.U16(0x480), guest.U16(0x482)));
    }

    [Fact]
    public void A_second_serial_port_is_listed_and_counted()
    {
        GuestView guest = new(BiosDataArea.Build(Memory, hasCom2: true));

        Assert.Equal((0x3f8, 0x2f8), (guest.U16(0x400), guest.U16(0x402)));
        Assert.Equal(2, guest.U16(0x410) >> 9 & 7);
    }

    [Fact]
    public void Base_memory_ends_where_the_firmware_map_has_it_end() =>
        Assert.Equal(
            638, new GuestView(BiosDataArea.Build(Memory.WithReserved(new(0x9f800, 0x400)))).U16(0x413));

    [Theory]
    [InlineData(0xfff53, 0xf000, 0xff53)]
    [InlineData(0x9fc01, 0x9000, 0xfc01)]
    public void Every_vector_points_to_the_handler(uint handler, ushort segment, ushort offset)
    {
        GuestView guest = new(BiosDataArea.BuildVectors(handler));

        for (uint vector = 0; vector < 256; vector++)
            Assert.Equal((offset, segment), (guest.U16(vector * 4), guest.U16(vector * 4 + 2)));
    }

    [Fact]
    public void The_handler_returns() => Assert.Equal([0xcf], BiosDataArea.BuildHandler(0xfff53).Data.ToArray());
}
