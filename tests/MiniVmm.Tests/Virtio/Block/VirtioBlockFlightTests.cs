using CsCheck;
using MiniVmm.Storage;
using MiniVmm.Tests.Storage;
using static MiniVmm.Tests.Virtio.Block.BlockFixture;

namespace MiniVmm.Tests.Virtio.Block;

/// <summary>Requests that are in flight together, are held up, are limited, or are caught by a reset.</summary>
public sealed class VirtioBlockFlightTests
{
    [ThreadStatic]
    private static int t_calls;

    [ThreadStatic]
    private static long t_allocated;

    private const int DiskLength = 1 << 20;

    // A disk without the page cache is handed to workers from the start.
    private static readonly DiskOptions Waiting = new() { File = "test.img", Cache = DiskCache.None };

    [Fact]
    public void Requests_that_wait_are_in_flight_together_and_do_not_hold_up_the_queue()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, Waiting);
        image.Gate.Reset();
        (ulong Data, ulong Status)[] requests =
        [
            .. Enumerable.Range(0, 8).Select(i => disk.Add(In, (ulong)i, room: 512)),
        ];

        disk.Kick();
        WaitFor(() => image.Busy == 8);
        Assert.Equal(8, disk.Drivers[0].Outstanding);
        image.Gate.Set();

        disk.Run();
        Assert.All(requests, request => Assert.Equal(Ok, disk.Memory.Read<byte>(request.Status)));
    }

    [Fact]
    public void More_requests_than_may_be_in_flight_are_all_done()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, Waiting, eventIndex: false);
        image.Gate.Reset();
        for (int i = 0; i < 80; i++)
            disk.Add(Out, (ulong)i, VirtioBlockTests.Pattern(512));

        disk.Kick();
        WaitFor(() => image.Busy == 16);
        image.Gate.Set();

        Assert.Equal(80, disk.Run().Length);
        Assert.Equal(VirtioBlockTests.Pattern(512), image.Bytes[(79 * 512)..(80 * 512)]);
    }

    [Fact]
    public void A_reset_waits_for_what_is_in_flight_and_nothing_is_written_to_the_guest_after_it()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, Waiting);
        image.Bytes.AsSpan().Fill(5);
        image.Gate.Reset();
        (ulong data, ulong status) = disk.Add(In, 0, room: 512);
        disk.Kick();
        WaitFor(() => image.Busy == 1);

        Thread reset = new(disk.Device.Reset);
        reset.Start();
        Assert.False(reset.Join(50)); // it is in flight, and cannot be called back
        image.Gate.Set();
        Assert.True(reset.Join(30_000));

        disk.Memory.Bytes(data, 512).Fill(Untouched);
        disk.Memory.Write(status, Untouched);
        ushort used = disk.Drivers[0].UsedIndex;
        int interrupts = disk.Interrupt.Used(0);
        disk.Device.Notify(0); // late
        disk.Add(In, 0, room: 512);
        disk.Device.Notify(0);
        disk.Loop.Poll(0);

        Assert.Equal(0, image.Busy);
        Assert.Equal(-1, disk.Memory.Bytes(data, 512).IndexOfAnyExcept(Untouched));
        Assert.Equal(Untouched, disk.Memory.Read<byte>(status));
        Assert.Equal((used, interrupts), (disk.Drivers[0].UsedIndex, disk.Interrupt.Used(0)));
    }

    [Fact]
    public void Quiet_means_that_what_was_in_flight_is_completed_and_the_device_goes_on_after_it()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, Waiting);
        image.Gate.Reset();
        (_, ulong status) = disk.Add(In, 0, room: 512);
        disk.Kick();
        WaitFor(() => image.Busy == 1);

        Thread quiesce = new(disk.Device.Quiesce);
        quiesce.Start();
        Assert.False(quiesce.Join(50));
        image.Gate.Set();
        Assert.True(quiesce.Join(30_000));

        Assert.Equal(Ok, disk.Memory.Read<byte>(status));
        Assert.Equal(1, Reap(disk));
        Assert.Equal(1, disk.Interrupt.Used(0));
        Assert.Equal(Ok, disk.Do(In, 0, room: 512));
    }

    [Fact]
    public void After_a_reset_the_next_driver_finds_a_disk_as_new()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image);
        disk.Device.WriteConfiguration(32, [0]);
        Assert.Equal(Ok, disk.Do(Out, 0, VirtioBlockTests.Pattern(512)));

        disk.Device.Reset();
        byte[] mode = new byte[1];
        disk.Device.ReadConfiguration(32, mode);
        disk.Drivers[0] = new TestDriver(disk.Memory, 256, eventIndex: true);
        disk.Activate(disk.Device.Features);

        Assert.Equal([1], mode);
        Assert.Equal(VirtioBlockTests.Pattern(512), disk.Read(0, 512));
    }

    [Fact]
    public void Random_requests_on_several_queues_leave_the_disk_that_a_model_has()
    {
        // Of those in flight together no two touch the same sectors: nothing says which of them would come first.
        Gen.Select(Gen.Int[0, 63], Gen.Int[1, 8], Gen.Int[0, 5], Gen.Int[0, 1], Gen.Bool).List[1, 40].List[1, 6].Sample(
            batches =>
            {
                MemoryImage image = new(128 * 512);
                using BlockFixture disk = new(image, Waiting, queues: 2);
                byte[] model = new byte[128 * 512];
                byte stamp = 0;
                foreach (List<(int Sector, int Count, int Kind, int Queue, bool Indirect)> batch in batches)
                {
                    HashSet<int> taken = [];
                    List<(ulong Data, byte[] Expected)> reads = [];
                    List<ulong> statuses = [];
                    foreach ((int sector, int count, int kind, int queue, _) in batch)
                    {
                        if (Enumerable.Range(sector, count).Any(taken.Contains))
                            continue;
                        taken.UnionWith(Enumerable.Range(sector, count));
                        Range bytes = (sector * 512)..((sector + count) * 512);
                        stamp++;
                        switch (kind)
                        {
                            case 0 or 1:
                                (ulong data, ulong status) =
                                    disk.Add(In, (ulong)sector, room: count * 512, queue: queue);
                                reads.Add((data, model[bytes]));
                                statuses.Add(status);
                                break;
                            case 2 or 3:
                                byte[] written = [.. Enumerable.Repeat(stamp, count * 512)];
                                written.CopyTo(model, sector * 512);
                                statuses.Add(disk.Add(Out, (ulong)sector, written, queue: queue).Status);
                                break;
                            case 4:
                                model.AsSpan(bytes).Clear();
                                byte[] segment = Segment((ulong)sector, (uint)count, 1);
                                statuses.Add(disk.Add(WriteZeroes, 0, segment, queue: queue).Status);
                                break;
                            default:
                                statuses.Add(disk.Add(Flush, 0, queue: queue).Status);
                                break;
                        }
                    }

                    disk.Kick(0);
                    disk.Run(1);
                    disk.Run(0);
                    Assert.All(statuses, status => Assert.Equal(Ok, disk.Memory.Read<byte>(status)));
                    Assert.All(reads, read =>
                        Assert.Equal(read.Expected, disk.Memory.Bytes(read.Data, read.Expected.Length)));
                }

                Assert.Equal(model, image.Bytes);
            },
            iter: 60,
            seed: "0000KOIXNWo1",
            threads: 1);
    }

    [Fact]
    public void Requests_beyond_the_rate_wait_in_the_ring_until_the_time_has_come()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, new DiskOptions { File = "x", Iops = 10 });
        for (int i = 0; i < 5; i++)
            disk.Add(In, 0, room: 512);

        disk.Kick();
        Assert.Equal(4, disk.Drivers[0].Outstanding - Reap(disk)); // one at once, a tenth of a second's worth
        TimeSpan? delay = Assert.Single(disk.Loop.Timers).Delay;
        Assert.NotNull(delay);
        for (int i = 1; i < 5; i++)
        {
            disk.Now += 101_000_000;
            Assert.Equal(1, disk.Loop.Elapse());
            Assert.Equal(1, Reap(disk));
        }

        Assert.Equal(0, disk.Drivers[0].Outstanding);
        Assert.InRange(delay.Value, TimeSpan.FromMilliseconds(90), TimeSpan.FromMilliseconds(110));
    }

    [Fact]
    public void Bytes_are_limited_too_and_flushes_are_free()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, new DiskOptions { File = "x", BytesPerSecond = 10_240 });
        disk.Add(Out, 0, VirtioBlockTests.Pattern(2048)); // twice the burst: lets it through, and owes 1024
        disk.Add(In, 0, room: 512);
        disk.Kick();
        Assert.Equal(1, Reap(disk));

        disk.Now += 90_000_000;
        disk.Loop.Elapse();
        Assert.Equal(0, Reap(disk));
        disk.Now += 20_000_000;
        disk.Loop.Elapse();

        Assert.Equal(1, Reap(disk)); // and owes a little again
        disk.Now += 50_000_000;
        disk.Loop.Elapse();
        for (int i = 0; i < 100; i++)
            disk.Add(Flush, 0);
        Assert.Equal(100, disk.Run().Length);
    }

    [Fact]
    public void A_rate_is_shared_by_the_queues_that_have_something_to_do()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, new DiskOptions { File = "x", Iops = 10 }, queues: 4);
        foreach (int queue in (int[])[0, 1, 3])
        {
            for (int i = 0; i < 12; i++)
                disk.Add(In, 0, room: 512, queue: queue);
            disk.Kick(queue);
        }

        // A request at a time.
        for (int i = 0; i < 12; i++)
        {
            disk.Now += 101_000_000;
            Assert.Equal(1, disk.Loop.Elapse());
        }

        int[] done = [.. disk.Drivers.Select(driver => (int)driver.UsedIndex)];
        Assert.Equal(13, done.Sum());
        Assert.All((int[])[0, 1, 3], queue => Assert.InRange(done[queue], 4, 5));
    }

    [Fact]
    public void Zeroes_count_as_bytes_written_as_far_as_the_limit_goes()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, new DiskOptions { File = "x", BytesPerSecond = 10_240 });
        Assert.Equal(Ok, disk.Do(WriteZeroes, 0, [.. Segment(0, 16), .. Segment(32, 6)])); // 11264, and 1024 at once
        (_, ulong status) = disk.Add(In, 0, room: 512);

        disk.Kick();

        Assert.Equal(Untouched, disk.Memory.Read<byte>(status));
        TimeSpan? delay = Assert.Single(disk.Loop.Timers).Delay;
        Assert.InRange(delay ?? TimeSpan.Zero, TimeSpan.FromMilliseconds(990), TimeSpan.FromMilliseconds(1010));
    }

    [Fact]
    public void Large_requests_let_the_thread_see_to_other_things_in_between()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image);
        ulong room = disk.Memory.Allocate(4 << 20);
        TestBuffer header = TestBuffer.Readable(disk.Memory.Place(Header(In, ulong.MaxValue)), 16);
        TestBuffer[] pieces = [header, .. Enumerable.Repeat(TestBuffer.Writable(room, 4 << 20), 16)];
        for (int i = 0; i < 3; i++)
            disk.Drivers[0].AddIndirect(pieces);

        disk.Kick();

        Assert.Equal(1, disk.Drivers[0].UsedIndex); // now it could be parked
        Assert.Equal(3, disk.Run().Length);
    }

    [Fact]
    public void Nothing_is_allocated_for_a_request()
    {
        MemoryImage image = new(DiskLength);
        using BlockFixture disk = new(image, eventIndex: false);
        Rounds(disk, 20);

        Assert.Equal(0, Rounds(disk, 100));
    }

    [Fact]
    public void Nothing_is_allocated_to_hand_requests_to_workers()
    {
        int grew = 0;
        int compared = 0;
        MemoryImage image = new(DiskLength)
        {
            Called = () =>
            {
                // What this worker allocated since its last request.
                long allocated = GC.GetAllocatedBytesForCurrentThread();
                if (t_calls++ > 0)
                {
                    Interlocked.Increment(ref compared);
                    if (allocated != t_allocated)
                        Interlocked.Increment(ref grew);
                }

                t_allocated = allocated;
            },
        };
        using BlockFixture disk = new(image, Waiting, eventIndex: false);

        // All the threads that there will ever be: one that starts later allocates, but not for a request.
        image.Gate.Reset();
        for (int i = 0; i < 16; i++)
            disk.Add(In, (ulong)i, room: 512);
        disk.Kick();
        WaitFor(() => image.Busy == 16);
        image.Gate.Set();
        disk.Run();
        Rounds(disk, 50);

        // A lock that is contended for the first time makes itself an event: once, in whatever round.
        Assert.Contains(0L, Enumerable.Range(0, 10).Select(_ => Rounds(disk, 40)));
        Assert.True(compared > 100, $"{compared} requests on workers");
        Assert.True(grew < compared / 4, $"workers allocated in {grew} of {compared} requests");
    }

    /// <summary>A write and a read, over and over, from the same descriptors.</summary>
    /// <returns>Bytes that the device allocated on this thread.</returns>
    private static long Rounds(BlockFixture disk, int count)
    {
        TestMemory memory = disk.Memory;
        ulong write = memory.Allocate(16);
        ulong read = memory.Allocate(16);
        ulong data = memory.Allocate(4096);
        ulong status = memory.Allocate(16);
        memory.Write(write, 1ul);
        memory.Write(write + 8, 8ul);
        memory.Write(read, 0ul);
        memory.Write(read + 8, 8ul);
        TestDriver driver = disk.Drivers[0];
        long allocated = 0;
        for (int i = 0; i < count; i++)
        {
            driver.Add(
                TestBuffer.Readable(write, 16), TestBuffer.Readable(data, 4096), TestBuffer.Writable(status, 1));
            driver.Add(
                TestBuffer.Readable(read, 16), TestBuffer.Writable(data, 4096), TestBuffer.Writable(status + 1, 1));
            long before = GC.GetAllocatedBytesForCurrentThread();
            disk.Device.Notify(0);
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            SpinWait spin = default;
            while (driver.Outstanding > 0)
            {
                if (!driver.TryReap(out _, out _))
                    spin.SpinOnce();
            }
        }

        return allocated;
    }

    private static int Reap(BlockFixture disk)
    {
        int count = 0;
        while (disk.Drivers[0].TryReap(out _, out _))
            count++;
        return count;
    }

    private static void WaitFor(Func<bool> condition) =>
        Assert.True(SpinWait.SpinUntil(condition, TimeSpan.FromSeconds(30)), "it never came to that");
}
