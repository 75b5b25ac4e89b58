using MiniVmm.Tracing;

namespace MiniVmm.Tests.Tracing;

public sealed class TraceSessionTests : IDisposable
{
    private readonly ListSink _sink = new();

    public void Dispose() => _sink.Dispose();

    [Fact]
    public void Any_thread_can_tell_of_an_interrupt_and_the_end_finds_all_of_it_written()
    {
        TraceSession session = new(TraceFilter.Everything, 2, new FakeNames(), _sink);
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (uint i = 0; i < 100; i++)
                session.Interrupt(i, TraceSession.Edge);
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        session.Dispose();

        Assert.Equal(400, _sink.Events.Count);
        Assert.Equal(400, _sink.Totals!.Taken);
        Assert.True(_sink.IsDisposed);
        Assert.True(_sink.Events.Zip(_sink.Events.Skip(1)).All(pair => pair.First.Event.Served <= pair.Second.Event.Served));
        session.Interrupt(1, TraceSession.Edge); // to nobody
        Assert.Equal(400, _sink.Events.Count);
    }

    [Fact]
    public void What_a_vCPU_raises_is_on_its_own_track()
    {
        using TraceSession session = new(TraceFilter.Everything, 2, new FakeNames(), _sink);
        Thread vcpu = new(() =>
        {
            TraceSession.Claim(session.RingOf(1)!);
            session.Interrupt(4, TraceSession.Edge);
        });
        vcpu.Start();
        vcpu.Join();
        session.Dispose();

        Assert.Equal(1, Assert.Single(_sink.Events).Vcpu);
    }

    [Fact]
    public void A_vCPU_that_is_not_asked_for_has_no_ring()
    {
        using TraceSession session = new(TraceFilter.Parse("exits,vcpu=1"), 2, new FakeNames(), _sink);

        Assert.Null(session.RingOf(0));
        Assert.NotNull(session.RingOf(1));
        Assert.Null(session.RingOf(2));
    }

    [Fact]
    public void Rings_are_made_for_vCPUs_that_there_are()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        TraceSession session = new(TraceFilter.Everything, 1024, new FakeNames(), _sink);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);

        Assert.Same(session.RingOf(1023), session.RingOf(1023));
        session.Dispose();

        Assert.Equal(0, session.Lost);
    }

    [Fact]
    public void A_vCPU_s_thread_allocates_nothing_whether_it_has_joined_or_not()
    {
        using TraceSession session = new(TraceFilter.Parse("all,vcpu=1"), 2, new FakeNames(), _sink);
        TraceRing beside = session.RingBeside(0)!;
        long before = 0, allocated = -1;
        Thread vcpu = new(() =>
        {
            session.Interrupt(3, TraceSession.Edge); // which compiles what it takes
            TraceSession.Claim(beside);
            session.Interrupt(4, TraceSession.Edge);
            TraceSession.Claim(null);
            before = GC.GetAllocatedBytesForCurrentThread();
            session.Interrupt(3, TraceSession.Edge); // not yet: to nobody
            TraceSession.Claim(beside);
            session.Interrupt(5, TraceSession.Edge);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        })
        { Name = "vcpu0" };
        vcpu.Start();
        vcpu.Join();
        session.Dispose();

        Assert.Equal(0, allocated);
        Assert.Equal([4u, 5u], _sink.Events.Select(record => record.Event.Count));
        Assert.Equal(0, session.Lost);
    }

    [Fact]
    public void A_sink_that_fails_ends_the_trace_and_says_why()
    {
        TraceSession session = new(TraceFilter.Everything, 1, new FakeNames(), new FullDisk());
        session.Interrupt(1, TraceSession.Edge);

        session.Dispose();

        Assert.Equal("no space", session.Failure);
        Assert.True(session.HasEnough);
    }

    [Fact]
    public void Losses_are_told_at_the_end()
    {
        TraceSession session = new(TraceFilter.Everything, 1, new FakeNames(), _sink);
        TraceRing ring = session.RingOf(0)!;
        long lost = 0;
        for (int i = 0; lost == 0; i++)
            lost = ring.TryWrite(Made.Port(0x3f8, 0, at: long.MaxValue)) ? 0 : 1; // too young to be read before the end

        session.Dispose();

        Assert.Equal(1, _sink.Totals!.Lost);
        Assert.Equal(1, session.Lost);
    }

    private sealed class FullDisk : ITraceSink
    {
        public void Begin(TraceHeader header)
        {
        }

        public void Write(TraceRecord record) => throw new IOException("no space");

        public void Flush()
        {
        }

        public void End(TraceTotals totals)
        {
        }

        public void Dispose()
        {
        }
    }
}
