using System.Text;
using MiniVmm.Devices;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Console;

namespace MiniVmm.Tests.Virtio.Console;

public sealed class VirtioConsoleTests : IDisposable
{
    private const int Keys = 0;
    private const int Text = 1;
    private readonly TestMemory _memory = new((0UL, 4 << 20));
    private readonly FakeInterrupt _interrupt = new();
    private readonly FakeLoop _loop = new();
    private readonly NarrowSink _sink = new();
    private readonly VirtioConsole _console;
    private TestDriver _keys;
    private TestDriver _text;

    public VirtioConsoleTests()
    {
        _console = new VirtioConsole(_sink);
        _console.Attach(_interrupt, [_loop]);
        _keys = new TestDriver(_memory, 64);
        _text = new TestDriver(_memory, 64);
    }

    public void Dispose()
    {
        _console.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void It_is_a_console_with_one_port_a_size_and_an_emergency_register()
    {
        Assert.Equal(3u, _console.DeviceType);
        Assert.Equal(0b101ul, _console.Features);
        Assert.Equal(2, _console.QueueSizes.Count);
    }

    [Fact]
    public void What_the_guest_prints_goes_to_the_sink_in_order()
    {
        Activate();
        ulong text = _memory.Place("onetwo"u8);
        ushort head = _text.Add(TestBuffer.Readable(text, 1), TestBuffer.Readable(text + 1, 2));
        _text.Add(TestBuffer.Readable(text + 3, 3));

        _console.Notify(Text);

        Assert.Equal("onetwo", _sink.Text);
        Assert.True(_text.TryReap(out ushort done, out uint written));
        Assert.Equal((head, 0u, 1), (done, written, _interrupt.Used(Text)));
        Assert.Equal(2, _text.UsedIndex);
    }

    [Fact]
    public void A_sink_that_is_full_gets_the_rest_later_and_holds_nobody_up()
    {
        Activate();
        _sink.Room = 4;
        ulong text = _memory.Place("onetwothree"u8);
        _text.Add(TestBuffer.Readable(text, 3), TestBuffer.Readable(text + 3, 3));
        _text.Add(TestBuffer.Readable(text + 6, 5));
        _console.Notify(Text);
        Assert.Equal(("onet", 0), (_sink.Text, _text.UsedIndex));

        _sink.Room = 3;
        Assert.Equal(1, _loop.Elapse());
        Assert.Equal(("onetwot", 1), (_sink.Text, _text.UsedIndex));

        _sink.Room = 100;
        Assert.Equal(1, _loop.Elapse());
        Assert.Equal(("onetwothree", 2, 0), (_sink.Text, _text.UsedIndex, _loop.Elapse()));
    }

    [Fact]
    public void A_long_text_leaves_the_thread_a_pause_and_arrives_whole()
    {
        Activate();
        const int length = 1 << 20;
        ulong text = _memory.Allocate(length);
        Span<byte> bytes = _memory.Bytes(text, length);
        for (int i = 0; i < length; i++)
            bytes[i] = (byte)(i % 251);
        _text.Add(TestBuffer.Readable(text, length));

        _console.Notify(Text);
        Assert.Equal(0, _text.UsedIndex);
        int pauses = 0;
        while (_loop.Elapse() != 0)
            pauses++;

        Assert.Equal((4, 1), (pauses, _text.UsedIndex));
        Assert.True(_memory.Bytes(text, length).SequenceEqual(_sink.Bytes.ToArray()));
    }

    [Fact]
    public void Many_short_texts_leave_the_thread_a_pause_too()
    {
        Activate(maxSize: 128);
        ulong text = _memory.Place("x"u8);
        for (int i = 0; i < 100; i++)
            _text.Add(TestBuffer.Readable(text, 1));

        _console.Notify(Text);
        Assert.Equal(64, _text.UsedIndex);
        _loop.Elapse();

        Assert.Equal((100, 100), (_text.UsedIndex, _sink.Bytes.Count));
    }

    [Fact]
    public void A_text_of_pieces_to_write_is_given_back_untouched()
    {
        Activate();
        ulong buffer = _memory.Place("unchanged"u8);
        _text.Add(TestBuffer.Writable(buffer, 9));

        _console.Notify(Text);

        Assert.Equal((1, 0), (_text.UsedIndex, _sink.Bytes.Count));
        Assert.Equal("unchanged"u8, _memory.Bytes(buffer, 9));
    }

    [Fact]
    public void Keys_go_to_the_guests_buffers_one_after_the_other()
    {
        Activate();
        ulong first = _memory.Allocate(4);
        ulong second = _memory.Allocate(16);
        _keys.Add(TestBuffer.Writable(first, 1), TestBuffer.Writable(first + 1, 2));
        _keys.Add(TestBuffer.Writable(second, 16));

        Assert.Equal(5, _console.Receive("hello"u8));
        Assert.Equal(1, _loop.Poll(0));

        Assert.Equal("hel"u8, _memory.Bytes(first, 3));
        Assert.Equal("lo\0"u8, _memory.Bytes(second, 3));
        Assert.True(_keys.TryReap(out _, out uint one));
        Assert.True(_keys.TryReap(out _, out uint two));
        Assert.Equal((3u, 2u, 1), (one, two, _interrupt.Used(Keys)));
    }

    [Fact]
    public void What_is_typed_before_there_is_a_driver_waits_for_it_and_what_has_no_room_is_not_taken()
    {
        byte[] typed = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i % 251))];
        Assert.Equal(4096, _console.Receive(typed));
        Assert.Equal(0, _console.Receive(typed.AsSpan(4096)));
        Assert.Equal(0, _loop.Poll(0));

        Activate();
        ulong buffer = _memory.Allocate(8192);
        _keys.Add(TestBuffer.Writable(buffer, 8192));
        _console.Notify(Keys);

        Assert.True(_keys.TryReap(out _, out uint written));
        Assert.Equal(4096u, written);
        Assert.True(typed.AsSpan(0, 4096).SequenceEqual(_memory.Bytes(buffer, 4096)));
        Assert.Equal(904, _console.Receive(typed.AsSpan(4096)));
    }

    [Fact]
    public void Keys_without_a_buffer_wait_and_the_driver_is_asked_to_say_when_there_is_one()
    {
        Activate();
        _console.Notify(Keys); // nothing typed: no news wanted
        ulong buffer = _memory.Allocate(2);
        _keys.Add(TestBuffer.Writable(buffer, 2));
        Assert.False(_keys.ShouldKick());
        _console.Receive("abc"u8);
        _loop.Poll(0);
        Assert.Equal(1, _keys.UsedIndex);

        _keys.Add(TestBuffer.Writable(buffer, 2));
        Assert.True(_keys.ShouldKick());
        _console.Notify(Keys);

        Assert.Equal(2, _keys.UsedIndex);
        Assert.Equal((byte)'c', _memory.Bytes(buffer, 1)[0]);
    }

    [Fact]
    public void A_buffer_that_cannot_be_written_is_given_back_and_the_key_is_kept()
    {
        Activate();
        ulong buffer = _memory.Place("unchanged"u8);
        _keys.Add(TestBuffer.Readable(buffer, 9));
        ulong good = _memory.Allocate(1);
        _keys.Add(TestBuffer.Writable(good, 1));

        _console.Receive("k"u8);
        _loop.Poll(0);

        Assert.Equal(2, _keys.UsedIndex);
        Assert.Equal("unchanged"u8, _memory.Bytes(buffer, 9));
        Assert.Equal("k"u8, _memory.Bytes(good, 1));
    }

    [Fact]
    public void A_break_is_Ctrl_O()
    {
        Activate();
        ulong buffer = _memory.Allocate(4);
        _keys.Add(TestBuffer.Writable(buffer, 4));

        _console.SendBreak();
        _loop.Poll(0);

        Assert.Equal(0x0f, _memory.Bytes(buffer, 1)[0]);
    }

    [Fact]
    public void The_size_is_in_the_configuration_and_a_change_is_told_once()
    {
        _console.Resize(80, 25);
        Assert.Equal([80, 0, 25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Configuration(0, 13));
        Assert.Equal(0, _interrupt.Changes);

        Activate(features: 1);
        Assert.Equal(1, _interrupt.Changes);
        _console.Resize(300, 25);
        _console.Resize(300, 25);

        Assert.Equal(2, _interrupt.Changes);
        Assert.Equal([0x2c, 1], Configuration(0, 2));
        Assert.Equal([25], Configuration(2, 1));
        Assert.Equal([0, 0], Configuration(4096, 2));
    }

    [Fact]
    public void Without_a_size_or_the_feature_no_change_is_told()
    {
        Activate(features: 1);
        _console.Reset();
        _console.Resize(80, 25);
        Activate(features: 4);

        Assert.Equal(0, _interrupt.Changes);
    }

    [Fact]
    public void Last_words_are_printed_without_a_driver_byte_by_byte()
    {
        _console.WriteConfiguration(8, [(byte)'o', 0, 0, 0]);
        _console.WriteConfiguration(8, [(byte)'h']);
        _console.WriteConfiguration(0, [(byte)'x']);
        _console.WriteConfiguration(9, [(byte)'x']);
        _console.WriteConfiguration(8, []);

        Assert.Equal("oh", _sink.Text);
    }

    [Fact]
    public void Buffers_outside_of_ram_ask_for_a_reset()
    {
        Activate();
        _text.Add(TestBuffer.Readable(4 << 20, 4));
        _console.Notify(Text);
        Assert.Equal(1, _interrupt.Resets);

        _keys.Add(TestBuffer.Writable(4 << 20, 4));
        _console.Receive("k"u8);
        _loop.Poll(0);

        Assert.Equal(2, _interrupt.Resets);
    }

    [Fact]
    public void After_a_reset_the_text_under_way_is_forgotten_and_no_buffer_touched()
    {
        Activate();
        _sink.Room = 2;
        _text.Add(TestBuffer.Readable(_memory.Place("old text"u8), 8));
        ulong buffer = _memory.Allocate(4);
        _keys.Add(TestBuffer.Writable(buffer, 4));
        _console.Notify(Text);

        _console.Reset();
        _sink.Room = 100;
        _console.Receive("k"u8);
        _console.Notify(Text);
        _console.Notify(Keys);

        Assert.Equal(("ol", 0, 0), (_sink.Text, _loop.Elapse(), _loop.Poll(0)));
        Assert.Equal(0, _memory.Bytes(buffer, 1)[0]);
        Activate();
        _text.Add(TestBuffer.Readable(_memory.Place("new"u8), 3));
        _console.Notify(Text);
        Assert.Equal("olnew", _sink.Text);
    }

    [Fact]
    public void A_reset_of_the_text_queue_forgets_the_text_under_way_and_one_of_the_keys_does_not()
    {
        Virtqueue queue = _text.Enable();
        _console.Activate((ulong)VirtioFeatures.Version1, [_keys.Enable(), queue]);
        _sink.Room = 2;
        ulong text = _memory.Place("old text"u8);
        _text.Add(TestBuffer.Readable(text, 8));
        _console.Notify(Text);
        _sink.Room = 1;
        _console.ResetQueue(Keys);
        _loop.Elapse();
        Assert.Equal("old", _sink.Text);

        _console.ResetQueue(Text);
        queue.Disable();
        _sink.Room = 100;
        "reused!!"u8.CopyTo(_memory.Bytes(text, 8));
        _loop.Elapse();

        Assert.Equal("old", _sink.Text);
        _text = new TestDriver(_memory, 64);
        Assert.True(queue.TryEnable(64, _text.Descriptors, _text.Available, _text.Used, VirtioFeatures.None));
        _text.Add(TestBuffer.Readable(_memory.Place("new"u8), 3));
        _console.Notify(Text);
        Assert.Equal(("oldnew", 1), (_sink.Text, _text.UsedIndex));
    }

    [Fact]
    public void Printing_and_typing_allocate_nothing()
    {
        Activate();
        ulong text = _memory.Place("some text"u8);
        ulong buffer = _memory.Allocate(4);
        _sink.Keeps = false;
        long Allocated()
        {
            _text.Add(TestBuffer.Readable(text, 9));
            _keys.Add(TestBuffer.Writable(buffer, 4));
            long before = GC.GetAllocatedBytesForCurrentThread();
            _console.Receive("k"u8);
            _console.Notify(Text);
            _console.Notify(Keys);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(_text.TryReap(out _, out _) && _keys.TryReap(out _, out _));
            return allocated;
        }

        Allocated();
        Assert.Equal(0, Enumerable.Range(0, 50).Sum(_ => Allocated()));
    }

    private void Activate(ulong features = 5, ushort maxSize = 64)
    {
        _keys = new TestDriver(_memory, maxSize);
        _text = new TestDriver(_memory, maxSize);
        _console.Activate(features | (ulong)VirtioFeatures.Version1, [_keys.Enable(), _text.Enable()]);
    }

    private byte[] Configuration(uint offset, int length)
    {
        byte[] data = new byte[length];
        data.AsSpan().Fill(0xee);
        _console.ReadConfiguration(offset, data);
        return data;
    }

    /// <summary>A sink that takes so many bytes and no more.</summary>
    private sealed class NarrowSink : IConsoleSink
    {
        public int Room { get; set; } = int.MaxValue;

        public bool Keeps { get; set; } = true;

        public List<byte> Bytes { get; } = [];

        public string Text => Encoding.UTF8.GetString([.. Bytes]);

        public void Write(byte value) => Bytes.Add(value);

        public int TryWrite(ReadOnlySpan<byte> text)
        {
            int taken = Math.Min(text.Length, Room);
            Room -= taken;
            if (Keeps)
                Bytes.AddRange(text[..taken]);
            return taken;
        }
    }
}
