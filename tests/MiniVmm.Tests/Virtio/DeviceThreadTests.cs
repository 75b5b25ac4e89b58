using MiniVmm.Host;
using MiniVmm.Virtio;
using Tmds.Linux;

namespace MiniVmm.Tests.Virtio;

/// <summary>Real threads: what is waited for comes, however late; what must not come is asked for by parking.</summary>
public sealed class DeviceThreadTests : IDisposable
{
    private static readonly TimeSpan Lost = TimeSpan.FromSeconds(20);
    private readonly DeviceThread _thread = new("test");

    public void Dispose() => _thread.Dispose();

    [Fact]
    public void A_doorbell_is_heard_on_the_thread()
    {
        using AutoResetEvent heard = new(false);
        string? name = null;
        EventFd doorbell = _thread.AddDoorbell(() =>
        {
            name = Thread.CurrentThread.Name;
            heard.Set();
        });
        doorbell.Signal(); // before the start too
        _thread.Start();
        Assert.True(heard.WaitOne(Lost));
        doorbell.Signal();
        Assert.True(heard.WaitOne(Lost));
        Assert.Equal("test", name);
        Assert.Equal(0ul, doorbell.Read());
    }

    [Fact]
    public void A_timer_ends_once_each_time_it_is_started_and_not_if_it_is_stopped()
    {
        using CountdownEvent ended = new(2);
        int stopped = 0;
        ILoopTimer timer = _thread.CreateTimer(() => ended.Signal());
        ILoopTimer other = _thread.CreateTimer(() => stopped++);
        ILoopTimer far = _thread.CreateTimer(() => stopped++);
        other.Start(TimeSpan.Zero);
        other.Stop();
        far.Start(TimeSpan.MaxValue);
        timer.Start(TimeSpan.Zero);
        _thread.Start();
        Wait(() => ended.CurrentCount == 1);
        _thread.Park();
        timer.Start(TimeSpan.FromHours(1));
        timer.Start(TimeSpan.FromMilliseconds(1)); // anew
        _thread.Resume();
        Assert.True(ended.Wait(Lost));
        Assert.Equal(0, stopped);
    }

    [Fact]
    public void A_watch_is_told_for_as_long_as_its_file_is_ready_and_rests_when_it_should()
    {
        using EventFd file = new();
        file.Signal();
        using CountdownEvent told = new(3);
        IWatch? watch = null;
        watch = _thread.Watch(file.Fd, Readiness.Read, ready =>
        {
            Assert.Equal(Readiness.Read, ready);
            if (told.Signal())
                watch!.Interest = Readiness.None;
        });
        int times = 0;
        using AutoResetEvent rung = new(false);
        EventFd doorbell = _thread.AddDoorbell(() =>
        {
            times++;
            rung.Set();
        });
        _thread.Start();
        Assert.True(told.Wait(Lost));

        // A fourth call would throw, and end the process.
        for (int i = 0; i < 3; i++)
        {
            doorbell.Signal();
            Assert.True(rung.WaitOne(Lost));
        }

        _thread.Park();
        told.Reset(1);
        watch.Interest = Readiness.Read;
        _thread.Resume();
        Assert.True(told.Wait(Lost));
    }

    [Fact]
    public unsafe void What_has_hung_up_tells_all_and_once_it_rests_nothing()
    {
        int* ends = stackalloc int[2];
        Assert.Equal(0, LibC.pipe2(ends, LibC.O_CLOEXEC));
        int end = ends[0];
        _ = LibC.close(ends[1]);
        using CountdownEvent told = new(1);
        Readiness said = Readiness.None;
        IWatch? watch = null;
        watch = _thread.Watch(end, Readiness.Read, ready =>
        {
            said = ready;
            watch!.Interest = Readiness.None;
            told.Signal();
        });
        using AutoResetEvent rung = new(false);
        EventFd doorbell = _thread.AddDoorbell(() => rung.Set());
        _thread.Start();
        Assert.True(told.Wait(Lost));
        Assert.Equal(Readiness.Read | Readiness.Write, said);
        for (int i = 0; i < 3; i++)
        {
            doorbell.Signal();
            Assert.True(rung.WaitOne(Lost));
        }

        _thread.Park();
        watch.Dispose();
        _thread.Resume();
        _ = LibC.close(end);
    }

    [Fact]
    public void A_watch_that_is_gone_hears_nothing_of_the_same_batch_nor_does_its_successor()
    {
        using EventFd first = new();
        using EventFd second = new();
        using EventFd third = new();
        first.Signal();
        second.Signal();
        int wrong = 0;
        using ManualResetEventSlim done = new(false);
        IWatch?[] watches = new IWatch?[2];

        // Whichever comes first takes the other away, and another file gets its place.
        void Ready(int me)
        {
            if (done.IsSet)
                wrong++;
            watches[1 - me]!.Dispose();
            _thread.Watch(third.Fd, Readiness.Read, _ => wrong++);
            watches[me]!.Dispose();
            done.Set();
        }

        watches[0] = _thread.Watch(first.Fd, Readiness.Read, _ => Ready(0));
        watches[1] = _thread.Watch(second.Fd, Readiness.Read, _ => Ready(1));
        using AutoResetEvent rung = new(false);
        EventFd doorbell = _thread.AddDoorbell(() => rung.Set());
        _thread.Start();
        Assert.True(done.Wait(Lost));
        doorbell.Signal();
        Assert.True(rung.WaitOne(Lost));
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void While_it_is_parked_nothing_runs_however_busy_it_was()
    {
        int running = 0;
        int overlaps = 0;
        long calls = 0;
        EventFd? doorbell = null;
        doorbell = _thread.AddDoorbell(() =>
        {
            Volatile.Write(ref running, 1);
            Interlocked.Increment(ref calls);
            doorbell!.Signal(); // always busy
            Volatile.Write(ref running, 0);
        });
        doorbell.Signal();
        _thread.Start();
        Thread[] parkers = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                _thread.Park();
                long before = Volatile.Read(ref calls);
                Thread.SpinWait(200);
                if (Volatile.Read(ref running) != 0 || Volatile.Read(ref calls) != before)
                    Interlocked.Increment(ref overlaps);
                _thread.Resume();
            }
        }))];
        Array.ForEach(parkers, parker => parker.Start());
        Array.ForEach(parkers, parker => Assert.True(parker.Join(Lost)));
        Assert.Equal(0, overlaps);
        long seen = Volatile.Read(ref calls);
        Wait(() => Volatile.Read(ref calls) > seen);
    }

    [Fact]
    public void A_callback_that_throws_is_reported_and_the_thread_goes_on()
    {
        List<string> failures = [];
        using CountdownEvent failed = new(3);
        _thread.Failed = failure =>
        {
            failures.Add(failure.Message);
            failed.Signal();
        };
        using EventFd file = new();
        file.Signal();
        _thread.Watch(file.Fd, Readiness.Read, _ => throw new InvalidOperationException("file"));
        using AutoResetEvent rung = new(false);
        EventFd doorbell = _thread.AddDoorbell(() =>
        {
            rung.Set();
            throw new InvalidOperationException("doorbell");
        });
        _thread.Start();
        for (int i = 0; i < 2; i++)
        {
            doorbell.Signal();
            Assert.True(rung.WaitOne(Lost));
        }

        // The file is ready still, but rests; the doorbell does not.
        Assert.True(failed.Wait(Lost));
        _thread.Park();
        Assert.Equal(["doorbell", "doorbell", "file"], failures.Order());
        _thread.Resume();
    }

    [Fact]
    public void One_thread_may_park_it_and_another_let_it_go_on_when_all_have()
    {
        using ManualResetEventSlim heard = new();
        EventFd doorbell = _thread.AddDoorbell(heard.Set);
        _thread.Start();
        _thread.Park();
        Elsewhere(_thread.Park);
        doorbell.Signal();
        _thread.Resume();
        Assert.False(heard.Wait(20));
        Elsewhere(_thread.Resume);
        Assert.True(heard.Wait(Lost));
    }

    [Fact]
    public void Parked_it_can_be_ended_and_does_nothing_more()
    {
        bool heard = false;
        EventFd doorbell = _thread.AddDoorbell(() => heard = true);
        _thread.Start();
        _thread.Park();
        doorbell.Signal();
        _thread.Stop();
        Assert.False(heard);
    }

    [Fact]
    public void What_a_device_disposes_of_after_its_threads_closes_nobody_elses_file()
    {
        ILoopTimer timer = _thread.CreateTimer(() => { });
        ILoopTimer again = _thread.CreateTimer(() => { });
        using EventFd file = new();
        IWatch watch = _thread.Watch(file.Fd, Readiness.Read, _ => { });
        _thread.Start();
        _thread.Dispose();

        // These get the numbers that the timers had.
        using EventFd first = new();
        using EventFd second = new();
        using EventFd third = new();
        timer.Dispose();
        again.Dispose();
        timer.Dispose();
        timer.Start(TimeSpan.Zero);
        watch.Dispose();
        _thread.Dispose();
        foreach (EventFd each in (EventFd[])[first, second, third, file])
        {
            each.Signal();
            Assert.Equal(1ul, each.Read());
        }
    }

    [Fact]
    public void A_devices_threads_park_together_and_each_hears_its_own_doorbells()
    {
        EchoDevice device = new(4, 4, 4) { Threads = 2 };
        string?[] heard = new string?[3];
        using CountdownEvent all = new(3);
        device.Notified = queue =>
        {
            heard[queue] = Thread.CurrentThread.Name;
            all.Signal();
        };
        using DeviceThreads threads = new("echo", device);
        Assert.Equal(2, threads.Loops.Count);
        threads.Start();
        threads.Park();
        for (int i = 0; i < 3; i++)
            threads.Ring(i);
        Assert.Equal(3, all.CurrentCount);
        threads.Resume();
        Assert.True(all.Wait(Lost));
        Assert.Equal(["echo.0", "echo.1", "echo.0"], heard);
    }

    [Fact]
    public void A_device_is_reset_under_its_drivers_requests_again_and_again()
    {
        using TestMemory memory = new((0, 1 << 22));
        using EchoDevice device = new(16);
        using DeviceThreads threads = new("echo", device);
        VirtioTransport transport = new(device, threads, memory.Memory, new SharedLine(new FakeTrigger()));
        VirtioMmio registers = new(transport);
        device.Attach(transport, threads.Loops);
        threads.Start();
        int completed = 0;
        for (int round = 0; round < 200 || completed == 0; round++)
        {
            TestDriver queue = SetUp(registers, memory);
            ulong buffer = memory.Allocate(64);
            for (int i = 0; i < 8; i++)
            {
                queue.Add(TestBuffer.Readable(0x1000, 32), TestBuffer.Writable(buffer, 32));
                registers.Write(VirtioMmio.QueueNotify, [0, 0, 0, 0]);
            }

            registers.Write(0x70, [0, 0, 0, 0]);
            int used = queue.UsedIndex;
            completed += used;
            Thread.SpinWait(100);
            Assert.Equal(used, queue.UsedIndex);
        }

        transport.Reset();
    }

    private static TestDriver SetUp(VirtioMmio registers, TestMemory memory)
    {
        TestDriver queue = new(memory, 16);
        foreach ((int offset, ulong value) in (ReadOnlySpan<(int, ulong)>)
            [(0x24, 1), (0x20, 1), (0x70, 11), (0x38, 16), (0x80, queue.Descriptors), (0x90, queue.Available),
                (0xa0, queue.Used), (0x44, 1), (0x70, 15)])
            registers.Write((ulong)offset, BitConverter.GetBytes((uint)value));
        return queue;
    }

    private static void Elsewhere(Action act)
    {
        Thread thread = new(() => act());
        thread.Start();
        Assert.True(thread.Join(Lost));
    }

    private static void Wait(Func<bool> condition)
    {
        if (!SpinWait.SpinUntil(condition, Lost))
            Assert.Fail("it never came");
    }
}
