using MiniVmm.Host;

namespace MiniVmm.Kvm.Tests;

public sealed class EventFdTests
{
    [Fact]
    public void Signals_add_up_until_they_are_read()
    {
        using var eventFd = new EventFd();
        Assert.Equal(0ul, eventFd.Read());
        eventFd.Signal();
        eventFd.Signal();
        Assert.Equal(2ul, eventFd.Read());
        Assert.Equal(0ul, eventFd.Read());
    }

    [Fact]
    public void It_starts_with_the_value_that_it_is_given()
    {
        using var eventFd = new EventFd(7);
        eventFd.Signal();
        Assert.Equal(8ul, eventFd.Read());
    }

    [Fact]
    public unsafe void A_full_counter_is_signalled_already_and_no_error()
    {
        using var eventFd = new EventFd();
        ulong most = ulong.MaxValue - 1; // eventfd(2): the counter's largest value
        Assert.Equal(8, (long)Tmds.Linux.LibC.write(eventFd.Fd, &most, sizeof(ulong)));
        eventFd.Signal();
        Assert.Equal(most, eventFd.Read());
    }

    [Fact]
    public void No_signal_of_many_threads_is_lost()
    {
        using var eventFd = new EventFd();
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 1000; i++)
                eventFd.Signal();
        });
        Assert.Equal(4000ul, eventFd.Read());
    }

    [Fact]
    public void Signal_and_Read_allocate_nothing()
    {
        using var eventFd = new EventFd();
        eventFd.Signal();
        eventFd.Read();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            eventFd.Signal();
            eventFd.Read();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Use_after_Dispose_is_refused_and_a_second_Dispose_is_not()
    {
        var eventFd = new EventFd();
        eventFd.Dispose();
        eventFd.Dispose();
        Assert.Throws<ObjectDisposedException>(() => eventFd.Fd);
        Assert.Throws<ObjectDisposedException>(eventFd.Signal);
        Assert.Throws<ObjectDisposedException>(() => eventFd.Read());
    }
}
