using System.Text;
using MiniVmm.Host;

namespace MiniVmm.Tests.Ide;

/// <summary>A CD-ROM drive as drivers use it.</summary>
public sealed class AtapiCdTests : IDisposable
{
    private readonly IdeMachine _ide = new();

    [Fact]
    public void It_is_known_by_what_it_refuses()
    {
        Assert.Equal(IdeMachine.Failed, _ide.Command(0xec, drive: 1));
        Assert.Equal((4, 0x14, 0xeb), (_ide.Error, _ide.In(4), _ide.In(5)));
        Assert.Equal(IdeMachine.Request, _ide.Command(0xa1, drive: 1));
        byte[] identity = _ide.ReadBlocks(out _);
        Assert.Equal((512, 0xc0, 0x85), (identity.Length, identity[0], identity[1]));
    }

    [Theory]
    [InlineData(2048, 5)]
    [InlineData(0xfffe, 1)]
    [InlineData(1000, 11)] // what the guest takes at a time
    public void Sectors_come_in_blocks_of_what_the_guest_takes(int limit, int blocks)
    {
        _ide.Packet([0x28, 0, 0, 0, 0, 3, 0, 0, 5], limit);
        Assert.Equal((2, Math.Min(limit, 10240)), (_ide.In(2), _ide.In(4) | (_ide.In(5) << 8)));
        Assert.Equal(_ide.Cd.Bytes.AsSpan(3 * 2048, 5 * 2048).ToArray(), _ide.ReadBlocks(out int count));
        Assert.Equal(blocks, count);
        Assert.Equal((IdeMachine.Ready, 3), (_ide.Status, _ide.In(2)));
    }

    [Fact]
    public void A_long_read_goes_through_the_buffer_in_parts()
    {
        _ide.Packet([0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 100], limit: 2048);
        Assert.Equal(_ide.Cd.Bytes, _ide.ReadBlocks(out int blocks));
        Assert.Equal(100, blocks);
    }

    [Theory]
    [InlineData(new byte[] { 0x28, 0, 0, 0, 0, 100, 0, 0, 1 }, 5, 0x21)] // behind the end
    [InlineData(new byte[] { 0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 5, 0x21)]
    [InlineData(new byte[] { 0x2a, 0, 0, 0, 0, 0, 0, 0, 1 }, 5, 0x20)] // a write
    [InlineData(new byte[] { 0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 40 }, 5, 0x24)]
    public void What_cannot_be_is_a_check_condition_and_its_sense(byte[] packet, byte key, byte code)
    {
        Assert.Equal(IdeMachine.Failed, _ide.Packet(packet));
        Assert.Equal((key << 4, 3), (_ide.Error, _ide.In(2)));
        _ide.Packet([0x03, 0, 0, 0, 18]);
        byte[] sense = _ide.ReadBlocks(out _);
        Assert.Equal((18, key, code), (sense.Length, sense[2], sense[12]));
        _ide.Packet([0x03, 0, 0, 0, 18]);
        Assert.Equal(0, _ide.ReadBlocks(out _)[2]); // told once
    }

    [Fact]
    public void An_error_of_the_host_is_a_medium_error()
    {
        _ide.Cd.Errno = Errno.EIO;
        Assert.Equal(IdeMachine.Failed, _ide.Packet([0x28, 0, 0, 0, 0, 0, 0, 0, 1]));
        Assert.Equal(0x30, _ide.Error);
    }

    [Fact]
    public void Answers_are_no_longer_than_the_guest_wants()
    {
        _ide.Packet([0x12, 0, 0, 0, 5]);
        Assert.Equal(6, _ide.ReadBlocks(out _).Length); // 5, and the other half of the last word
        _ide.Packet([0x12, 0, 0, 0, 255]);
        byte[] inquiry = _ide.ReadBlocks(out _);
        Assert.Equal((36, 5), (inquiry.Length, inquiry[0]));
        Assert.Equal("MiniVmm CD-ROM", Encoding.ASCII.GetString(inquiry, 8, 24).TrimEnd());
        Assert.Equal(IdeMachine.Ready, _ide.Packet([0x12, 0, 0, 0, 0]));
    }

    [Fact]
    public void There_is_one_track_of_data()
    {
        _ide.Packet([0x43, 0, 0, 0, 0, 0, 0, 0, 100]);
        Assert.Equal(
            [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 0, 100], _ide.ReadBlocks(out _));
        _ide.Packet([0x43, 2, 0, 0, 0, 0, 0xaa, 0, 100]);
        Assert.Equal([0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 3, 25], _ide.ReadBlocks(out _)); // 250 frames
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x1b)]
    [InlineData(0x1e)]
    [InlineData(0xbb)]
    public void Commands_without_data_just_end(byte operation)
    {
        Assert.Equal(IdeMachine.Ready, _ide.Packet([operation, 0, 0, 0, 2]));
        Assert.Equal(3, _ide.In(2));
    }

    [Fact]
    public void A_device_reset_ends_what_it_waits_for()
    {
        _ide.Command(0xa0, drive: 1);
        _ide.Out(7, 0x08);
        Assert.Equal((0, 0x14, 0xeb), (_ide.Status, _ide.In(4), _ide.In(5)));
    }

    public void Dispose() => _ide.Dispose();
}
