using MiniVmm.Tracing;

namespace MiniVmm.Tests.Tracing;

/// <summary>What comes out of the rings, and in which order.</summary>
public sealed class TraceReaderTests : IDisposable
{
    private readonly ListSink _sink = new();

    public void Dispose() => _sink.Dispose();
    private readonly TraceRing _first = new(null, "vCPU 0", 0, 64);
    private readonly TraceRing _second = new(null, "vCPU 1", 1, 64);

    [Fact]
    public void Events_of_several_threads_come_in_the_order_in_which_they_were_done()
    {
        _first.TryWrite(Made.Port(1, 0, at: 10));
        _second.TryWrite(Made.Port(2, 0, at: 20));
        _first.TryWrite(Made.Port(3, 0, at: 30));
        _second.TryWrite(Made.Port(4, 0, at: 25));

        Assert.True(Reader("all").Drain([_first, _second], everything: true));

        Assert.Equal([1UL, 2, 4, 3], _sink.Events.Select(row => row.Event.Address));
        Assert.Equal([0, 1, 1, 0], _sink.Events.Select(row => row.Vcpu));
    }

    [Fact]
    public void What_is_young_waits_for_an_older_event_that_may_be_on_its_way()
    {
        long now = System.Diagnostics.Stopwatch.GetTimestamp();
        TraceReader reader = Reader("all");
        _first.TryWrite(Made.Port(1, 0, at: now + System.Diagnostics.Stopwatch.Frequency * 3600));

        Assert.False(reader.Drain([_first, _second], everything: false));
        _second.TryWrite(Made.Port(2, 0, at: now - System.Diagnostics.Stopwatch.Frequency));
        Assert.True(reader.Drain([_first, _second], everything: false));
        Assert.True(reader.Drain([_first, _second], everything: true));

        Assert.Equal([2UL, 1], _sink.Events.Select(row => row.Event.Address));
    }

    [Fact]
    public void Some_are_passed_over_and_no_more_come_than_are_wanted()
    {
        for (int i = 0; i < 10; i++)
            _first.TryWrite(Made.Port((ushort)i, 0, at: i));
        TraceReader reader = Reader("all,after=3,limit=2");

        reader.Drain([_first], everything: true);

        Assert.Equal([3UL, 4], _sink.Events.Select(row => row.Event.Address));
        Assert.True(reader.HasEnough);
        Assert.Equal(2, reader.Taken);
    }

    [Fact]
    public void Only_the_device_that_is_asked_for_is_shown_and_it_tells_what_it_makes_of_an_access()
    {
        _first.TryWrite(Made.Port(0x60, 1, at: 1));
        _first.TryWrite(Made.Port(0x3f8, (byte)'H', at: 2));
        _first.TryWrite(new() { Kind = TraceEventKind.Interrupt, Count = 5, Detail = 2, Served = 3 });
        _first.TryWrite(new() { Kind = TraceEventKind.Request, Count = 0, Address = 2048, Value = 4096, Served = 4 });

        Reader("all,device=com1").Drain([_first], everything: true);
        Assert.Equal(["COM1: transmit 'H'"], _sink.Lines);
    }

    [Fact]
    public void What_is_nobodys_is_shown_without_what_a_device_takes_and_counts_alone()
    {
        _first.TryWrite(Made.Port(0x3f8, (byte)'H', at: 1));
        _first.TryWrite(Made.Port(0x60, 1, at: 2));
        _first.TryWrite(new() { Kind = TraceEventKind.Interrupt, Count = 5, Detail = 2, Served = 3 });
        _first.TryWrite(Made.Port(0x61, 1, at: 4));

        Reader("irq,unclaimed,limit=2").Drain([_first], everything: true);

        Assert.Equal([": ", "disk0: interrupt line 5"], _sink.Lines);
    }

    [Fact]
    public void Requests_and_interrupts_are_told_with_their_device()
    {
        _first.TryWrite(new() { Kind = TraceEventKind.Doorbell, Count = 0, Detail = 1, Served = 1 });
        _first.TryWrite(new() { Kind = TraceEventKind.Request, Count = 0, Address = 2048, Value = 4096, Served = 2 });
        _first.TryWrite(new() { Kind = TraceEventKind.Request, Count = 0, Reason = 4, Served = 3 });
        _first.TryWrite(new() { Kind = TraceEventKind.Request, Count = 7, Detail = 2, Value = 9, Served = 4 });
        _first.TryWrite(new() { Kind = TraceEventKind.Interrupt, Count = 5, Detail = 2, Served = 5 });
        _first.TryWrite(new() { Kind = TraceEventKind.Interrupt, Detail = 3, Address = 0xfee0_1000, Value = 0x41, Served = 6 });

        Reader("all").Drain([_first], everything: true);

        Assert.Equal(
        [
            "disk0: doorbell of queue 1", "disk0: read 8 sectors at 2048", "disk0: flush", "virtio 7: 9 bytes of queue 2",
            "disk0: interrupt line 5", ": message fee01000 <- 41: vector 65",
        ], _sink.Lines);
    }

    [Fact]
    public void A_message_is_the_devices_whose_thread_sends_it()
    {
        TraceRing disk = new(null, "virtio disk0", null, 64);
        TraceRing pair = new(null, "virtio net1.2", null, 64);
        disk.TryWrite(new() { Kind = TraceEventKind.Interrupt, Detail = 3, Address = 0xfee0_0000, Value = 0x22, Served = 1 });
        pair.TryWrite(new() { Kind = TraceEventKind.Interrupt, Detail = 3, Address = 0xfee0_0000, Value = 0x23, Served = 2 });

        Reader("irq").Drain([disk, pair], everything: true);

        Assert.Equal(["disk0: message fee00000 <- 22: vector 34", "net1: message fee00000 <- 23: vector 35"], _sink.Lines);
    }

    private TraceReader Reader(string filter) => new(TraceFilter.Parse(filter), new FakeNames(), _sink, start: 0);
}
