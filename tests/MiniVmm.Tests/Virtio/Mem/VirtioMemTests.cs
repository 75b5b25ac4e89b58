using System.Buffers.Binary;
using MiniVmm.Memory;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Mem;

namespace MiniVmm.Tests.Virtio.Mem;

/// <summary>Requests of virtio 1.2, 5.15.6, and what the device answers to each: 0 ACK, 1 NACK, 2 BUSY, 3 ERROR.</summary>
public sealed class VirtioMemTests : IDisposable
{
    private const ulong MiB = MemoryLayout.MiB;
    private const ulong Start = MemoryLayout.HighRam;
    private const int Plug = 0;
    private const int Unplug = 1;
    private const int UnplugAll = 2;
    private const int State = 3;
    private readonly TestMemory _memory = new();
    private readonly FakeInterrupt _interrupt = new();
    private readonly FakeLoop _loop = new();
    private readonly RecordingBlocks _host = new(RecordingBlocks.Small);
    private readonly VirtioMem _mem;
    private TestDriver _driver;

    public VirtioMemTests()
    {
        _mem = new VirtioMem(new MemoryBlocks(RecordingBlocks.Small, _host));
        _mem.Attach(_interrupt, [_loop]);
        _driver = Activate();
    }

    public void Dispose()
    {
        _mem.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void The_driver_reads_where_blocks_are_and_how_much_it_is_to_have()
    {
        Assert.Equal((24u, 0b10ul), (_mem.DeviceType, _mem.Features));
        Assert.Equal([2 * MiB, 0, Start, 32 * MiB, 0, 0, 0], Configuration());

        _mem.SetRequested((6 * MiB) + 4096);

        Assert.Equal([2 * MiB, 0, Start, 32 * MiB, 32 * MiB, 0, 6 * MiB], Configuration());
        Assert.Equal(1, _interrupt.Changes);
        Ask(Plug, 0, 2);
        Assert.Equal([2 * MiB, 0, Start, 32 * MiB, 32 * MiB, 4 * MiB, 6 * MiB], Configuration());
        Assert.Equal(1, _interrupt.Changes); // of its own doing it is not told
        _mem.WriteConfiguration(40, [1, 2, 3]);
        Assert.Equal(4 * MiB, Configuration()[5]);
    }

    [Fact]
    public void Before_there_is_a_driver_nobody_is_told_and_more_than_may_come_is_not_asked_for()
    {
        _mem.Reset();

        _mem.SetRequested(ulong.MaxValue);

        Assert.Equal((24 * MiB, 0), (_mem.Requested, _interrupt.Changes));
    }

    [Fact]
    public void Blocks_are_plugged_and_unplugged_as_the_driver_chooses()
    {
        _mem.SetRequested(24 * MiB);

        Assert.Equal((0, 0), (Ask(Plug, 3, 2), Ask(Plug, 15, 1)));
        Assert.Equal(0, Ask(Unplug, 4, 1));

        Assert.Equal([3ul, 15], _host.Plugged);
        Assert.Equal(4 * MiB, _mem.Plugged);
        Assert.Equal(3, _driver.UsedIndex);
    }

    [Theory]
    [InlineData(Plug)]
    [InlineData(Unplug)]
    [InlineData(State)]
    public void What_is_no_range_of_blocks_is_an_error(int type)
    {
        _mem.SetRequested(24 * MiB);
        Ask(Plug, 0, 12);
        string[] before = [.. _host.Events];

        Assert.Equal(3, Ask(type, Start, 0)); // of no block
        Assert.Equal(3, Ask(type, Start + 4096, 1)); // unaligned
        Assert.Equal(3, Ask(type, Start - (2 * MiB), 1)); // before the region
        Assert.Equal(3, Ask(type, Start + (32 * MiB), 1)); // behind it
        Assert.Equal(3, Ask(type, Start + (30 * MiB), 2)); // over its end
        Assert.Equal(3, Ask(type, Start, ushort.MaxValue));
        Assert.Equal(3, Ask(type, 0ul, 1));
        Assert.Equal(3, Ask(type, ulong.MaxValue - (2 * MiB) + 1, 1)); // up to where addresses end
        Assert.Equal(3, Ask(type, ulong.MaxValue, ushort.MaxValue));

        Assert.Equal(before, _host.Events);
    }

    [Fact]
    public void Nothing_is_plugged_twice_and_nothing_unplugged_that_is_not_plugged()
    {
        _mem.SetRequested(24 * MiB);
        Ask(Plug, 2, 2);

        Assert.Equal((3, 3, 3), (Ask(Plug, 3, 1), Ask(Plug, 1, 2), Ask(Plug, 0, 8)));
        Assert.Equal((3, 3, 3), (Ask(Unplug, 0, 1), Ask(Unplug, 1, 2), Ask(Unplug, 3, 2)));

        Assert.Equal(["+2x2"], _host.Events);
    }

    [Fact]
    public void More_than_was_asked_for_is_not_plugged()
    {
        _mem.SetRequested(4 * MiB);

        Assert.Equal((1, 0, 1), (Ask(Plug, 0, 3), Ask(Plug, 0, 2), Ask(Plug, 2, 1)));

        _mem.SetRequested(0);
        Assert.Equal((1, 0, 1), (Ask(Plug, 2, 1), Ask(Unplug, 0, 1), Ask(Plug, 0, 1)));
    }

    [Fact]
    public void Before_anything_was_asked_for_no_block_can_be_used() => Assert.Equal(3, Ask(Plug, 0, 1));

    [Fact]
    public void A_host_that_has_no_memory_now_is_busy()
    {
        _mem.SetRequested(4 * MiB);
        _host.IsShort = true;
        Assert.Equal((2, 0ul), (Ask(Plug, 0, 1), _mem.Plugged));

        _host.IsShort = false;
        Assert.Equal(0, Ask(Plug, 0, 1));
    }

    [Fact]
    public void The_state_of_blocks_is_told()
    {
        _mem.SetRequested(24 * MiB);
        Ask(Plug, 4, 2);

        Assert.Equal((0, 0), (Ask(State, 4, 2, out int plugged), plugged));
        Assert.Equal((0, 1), (Ask(State, 6, 10, out int unplugged), unplugged));
        Assert.Equal((0, 2), (Ask(State, 3, 2, out int mixed), mixed));
    }

    [Fact]
    public void All_is_unplugged_at_once_whatever_else_the_request_has_in_it()
    {
        _mem.SetRequested(24 * MiB);
        Ask(Plug, 0, 3);
        Ask(Plug, 8, 1);
        _mem.SetRequested(0);

        Assert.Equal(0, Ask(UnplugAll, ulong.MaxValue, 77));

        Assert.Empty(_host.Plugged);
        Assert.Equal([0ul, 0, 0], Configuration()[4..]); // the usable part has shrunk, too
        Assert.Equal(0, Ask(UnplugAll, 0, 0));
    }

    [Fact]
    public void The_usable_part_shrinks_at_no_other_time()
    {
        PluggableRegion large = GuestMemoryMap.Of(new(128 * MiB, Max: 1024 * MiB)).Pluggable!;
        using VirtioMem mem = new(new MemoryBlocks(large, new RecordingBlocks(large)));

        mem.SetRequested(200 * MiB);
        Assert.Equal(384 * MiB, Usable());
        mem.SetRequested(10 * MiB);
        Assert.Equal(384 * MiB, Usable());

        ulong Usable()
        {
            byte[] data = new byte[8];
            mem.ReadConfiguration(32, data);
            return BinaryPrimitives.ReadUInt64LittleEndian(data);
        }
    }

    [Fact]
    public void A_reset_leaves_the_blocks_as_they_are()
    {
        _mem.SetRequested(4 * MiB);
        Ask(Plug, 0, 2);

        _mem.Reset();
        _driver = Activate();

        Assert.Equal((4 * MiB, 4 * MiB), (_mem.Plugged, _mem.Requested));
        Assert.Equal(0, Ask(UnplugAll, 0, 0));
    }

    [Theory]
    [InlineData(4, 24)]
    [InlineData(ushort.MaxValue, 24)]
    [InlineData(Plug, 23)]
    [InlineData(UnplugAll, 2)]
    public void What_is_no_request_is_an_error(int type, int length)
    {
        _mem.SetRequested(4 * MiB);
        ulong request = _memory.Place(Request(type, Start, 1).AsSpan(0, length));
        ulong response = _memory.Place(new byte[] { 9, 9, 9, 9, 9, 9, 9, 9, 9, 9 });
        _driver.Add(TestBuffer.Readable(request, length), TestBuffer.Writable(response, 10));

        _mem.Notify(0);

        Assert.Equal([3, 0, 0, 0, 0, 0, 0, 0, 0, 0], _memory.Bytes(response, 10).ToArray());
        Assert.Empty(_host.Events);
        Assert.Equal(0, _interrupt.Resets);
    }

    [Fact]
    public void A_request_that_leaves_no_room_for_the_answer_is_not_carried_out()
    {
        _mem.SetRequested(4 * MiB);
        ulong request = _memory.Place(Request(Plug, Start, 1));
        _driver.Add(TestBuffer.Readable(request, 24), TestBuffer.Writable(_memory.Allocate(9), 9));

        _mem.Notify(0);

        Assert.True(_driver.TryReap(out _, out uint written));
        Assert.Equal(0u, written);
        Assert.Empty(_host.Events);
    }

    [Fact]
    public void A_request_in_odd_pieces_is_one()
    {
        _mem.SetRequested(4 * MiB);
        ulong request = _memory.Place(Request(Plug, Start, 2));
        ulong response = _memory.Place(new byte[10]);
        _driver.Add(
            TestBuffer.Readable(request, 1), TestBuffer.Readable(request + 1, 16), TestBuffer.Readable(request + 17, 7),
            TestBuffer.Writable(response, 3), TestBuffer.Writable(response + 3, 7));

        _mem.Notify(0);

        Assert.Equal(["+0x2"], _host.Events);
    }

    private static byte[] Request(int type, ulong address, int blocks)
    {
        byte[] request = new byte[24];
        request.AsSpan().Fill(0xee); // padding, which is ignored
        BinaryPrimitives.WriteUInt16LittleEndian(request, (ushort)type);
        BinaryPrimitives.WriteUInt64LittleEndian(request.AsSpan(8), address);
        BinaryPrimitives.WriteUInt16LittleEndian(request.AsSpan(16), (ushort)blocks);
        return request;
    }

    private int Ask(int type, int first, int blocks) => Ask(type, Start + ((ulong)first * 2 * MiB), blocks);

    private int Ask(int type, ulong address, int blocks) => Ask(type, address, blocks, out _);

    private int Ask(int type, int first, int blocks, out int state) =>
        Ask(type, Start + ((ulong)first * 2 * MiB), blocks, out state);

    private int Ask(int type, ulong address, int blocks, out int state)
    {
        ulong response = _memory.Place(new byte[10]);
        _driver.Add(
            TestBuffer.Readable(_memory.Place(Request(type, address, blocks)), 24), TestBuffer.Writable(response, 10));
        _mem.Notify(0);
        Assert.True(_driver.TryReap(out _, out uint written));
        Assert.Equal(10u, written);
        state = _memory.Read<ushort>(response + 8);
        return _memory.Read<ushort>(response);
    }

    private ulong[] Configuration()
    {
        byte[] data = new byte[64];
        _mem.ReadConfiguration(0, data);
        return [.. Enumerable.Range(0, 7).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(i * 8)))];
    }

    private TestDriver Activate()
    {
        TestDriver driver = new(_memory, 16);
        _mem.Activate((ulong)VirtioFeatures.Version1, [driver.Enable()]);
        return driver;
    }
}
