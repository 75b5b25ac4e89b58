using CsCheck;
using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Tests.Tracing;

public sealed class TraceRingTests
{
    [Fact]
    public void What_is_written_is_read_in_its_order_and_what_does_not_fit_is_counted() =>
        Gen.Bool.Array[0, 200].Sample(steps =>
        {
            TraceRing ring = new(null, "thread", 0, 8);
            Queue<ulong> inside = [];
            ulong next = 0;
            long lost = 0;
            foreach (bool writes in steps)
            {
                if (writes)
                {
                    bool fits = ring.TryWrite(new() { Kind = TraceEventKind.PortWrite, Reason = 2, Address = next });
                    Assert.Equal(inside.Count < 8, fits);
                    if (fits)
                        inside.Enqueue(next);
                    else
                        lost++;
                    next++;
                }
                else if (inside.TryDequeue(out ulong oldest))
                {
                    Assert.True(ring.HasMore(ring.Written));
                    Assert.Equal(oldest, ring.First.Address);
                    ring.Advance();
                }
                else
                {
                    Assert.False(ring.HasMore(ring.Written));
                }
            }

            Assert.Equal(lost, ring.Lost);
            Assert.Equal(lost, ring.LostOf((int)KvmExitReason.KVM_EXIT_IO));
        });

    [Fact]
    public void Losses_are_told_by_their_reason_and_code_is_no_event_to_lose()
    {
        TraceRing ring = new(null, "thread", 0, 1);
        Assert.True(ring.TryWrite(default));

        Assert.False(ring.TryWrite(new() { Kind = TraceEventKind.Exit, Reason = (uint)KvmExitReason.KVM_EXIT_HLT }));
        Assert.False(ring.TryWrite(new() { Kind = TraceEventKind.Exit, Reason = 1000 }));
        Assert.False(ring.TryWrite(new() { Kind = TraceEventKind.Interrupt }));
        Assert.False(ring.TryWrite(new() { Kind = TraceEventKind.Code }));

        Assert.Equal(1, ring.LostOf((int)KvmExitReason.KVM_EXIT_HLT));
        Assert.Equal(1, ring.LostOf(63));
        Assert.Equal(1, ring.LostOf(64));
        Assert.Equal(3, ring.Lost);
    }

    [Fact]
    public void Two_threads_share_it_without_a_lock_and_nothing_goes_astray()
    {
        const int Events = 200_000;
        TraceRing ring = new(null, "thread", 0, 64);
        Thread writer = new(() =>
        {
            for (ulong i = 0; i < Events; i++)
            {
                while (!ring.TryWrite(new() { Address = i, Value = ~i, Rip = i * 3 }))
                    Thread.Yield();
            }
        });
        writer.Start();

        for (ulong i = 0; i < Events; i++)
        {
            while (!ring.HasMore(ring.Written))
                Thread.Yield();
            TraceEvent item = ring.First;
            ring.Advance();
            Assert.Equal((i, ~i, i * 3), (item.Address, item.Value, item.Rip));
        }

        writer.Join();
    }

    [Fact]
    public void Writing_allocates_nothing()
    {
        TraceRing ring = new(null, "thread", 0, 64);

        long bytes = Allocations.Steady(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            ring.TryWrite(new() { Kind = TraceEventKind.PortWrite, Reason = 2 });
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });

        Assert.Equal(0, bytes);
        Assert.True(ring.Lost > 0);
    }
}
