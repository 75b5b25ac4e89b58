using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

public sealed class VirtqueueTests : IDisposable
{
    private const ulong In = 0x8000;
    private const ulong Out = 0x9000;
    private readonly TestMemory _memory = new((0, 0x10000), (0x20000, 0x10000));

    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_chain_goes_to_the_device_and_back(bool eventIndex)
    {
        TestDriver driver = new(_memory, 4, eventIndex);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);

        // Far enough for both indices to pass 65535.
        for (int i = 0; i < 70_000; i++)
        {
            driver.EnableInterrupts();
            ushort head = driver.Add(TestBuffer.Readable(In, 5), TestBuffer.Writable(Out, 7));
            Assert.True(queue.TryTake(chain));
            Assert.Equal(head, chain.Head);
            Assert.Equal((5u, 7u), (chain.ReadableLength, chain.WritableLength));
            Assert.False(queue.TryTake(chain));
            queue.Complete(chain.Head, 3);
            Assert.True(queue.ShouldInterrupt());
            Assert.False(queue.ShouldInterrupt());
            Assert.True(driver.TryReap(out ushort used, out uint written));
            Assert.Equal((head, 3u), (used, written));
        }
    }

    [Fact]
    public void Chains_come_back_in_the_order_in_which_they_are_completed()
    {
        TestDriver driver = new(_memory, 8);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        ushort[] heads = [driver.Add(Read(1)), driver.Add(Read(2)), driver.Add(Read(3))];
        for (int i = 0; i < heads.Length; i++)
            Assert.True(queue.TryTake(chain));
        Assert.Equal(3, queue.InFlight);

        queue.Complete(heads[2], 30);
        queue.Complete(heads[0], 10);

        Assert.True(driver.TryReap(out ushort first, out uint written));
        Assert.Equal((heads[2], 30u), (first, written));
        Assert.True(driver.TryReap(out ushort second, out _));
        Assert.Equal(heads[0], second);
        Assert.False(driver.TryReap(out _, out _));
        Assert.Equal(1, queue.InFlight);
    }

    [Fact]
    public void What_is_completed_for_later_is_seen_when_it_is_published()
    {
        TestDriver driver = new(_memory, 8);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        for (int i = 0; i < 2; i++)
        {
            driver.Add(Read(1));
            Assert.True(queue.TryTake(chain));
            queue.CompleteLater(chain.Head, 1);
        }

        Assert.Equal(0, driver.UsedIndex);
        queue.Publish();
        Assert.Equal(2, driver.UsedIndex);
    }

    [Theory]
    [InlineData(0, 0)] // not a size
    [InlineData(3, 0)] // not a power of two
    [InlineData(16, 0)] // more than the queue has
    [InlineData(8, 8)] // descriptors not aligned
    [InlineData(8, 0x10000 - 64)] // descriptors into the hole
    public void A_queue_that_cannot_be_is_not_taken_into_use(ushort size, ulong descriptors)
    {
        Virtqueue queue = new(_memory.Memory, 8);

        Assert.False(queue.TryEnable(size, descriptors, 0x1000, 0x2000, VirtioFeatures.None));

        Assert.Equal(0, queue.Size);
        using DescriptorChain chain = new(4);
        Assert.False(queue.TryTake(chain));
        Assert.False(queue.ShouldInterrupt());
        Assert.False(queue.ResumeNotifications());
        queue.SuppressNotifications();
        queue.Complete(0, 0);
        Assert.False(_memory.Bytes(0, 0x10000).ContainsAnyExcept((byte)0));
    }

    [Theory]
    [InlineData(0x10000 - 128, 0x1000, 0x2000, true)] // 8 × 16 bytes up to the slot's last
    [InlineData(0x10000 - 112, 0x1000, 0x2000, false)]
    [InlineData(0x1000, 0x10000 - 22, 0x2000, true)]
    [InlineData(0x1000, 0x10000 - 20, 0x2000, false)]
    [InlineData(0x1000, 0x1001, 0x2000, false)]
    [InlineData(0x1000, 0x2000, 0x10000 - 72, true)] // 70, and used rings are 4-aligned
    [InlineData(0x1000, 0x2000, 0x10000 - 68, false)]
    [InlineData(0x1000, 0x2000, 0x3002, false)]
    [InlineData(0x1000, 0x2000, ulong.MaxValue - 3, false)]
    [InlineData(0x20000, 0x1000, 0x21000, true)] // each in a slot of its own
    public void Every_ring_lies_in_one_slot_to_its_last_byte(
        ulong descriptors, ulong available, ulong used, bool good) =>
        Assert.Equal(
            good, new Virtqueue(_memory.Memory, 8).TryEnable(8, descriptors, available, used, VirtioFeatures.None));

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(40000)]
    public void A_queue_has_a_power_of_two_of_descriptors(ushort size) =>
        Assert.Throws<ArgumentException>(() => new Virtqueue(_memory.Memory, size));

    [Theory]
    [InlineData(5)] // more than there are
    [InlineData(0xffff)] // backwards
    public void An_available_index_that_jumps_stops_the_queue(ushort index)
    {
        TestDriver driver = new(_memory, 4);
        Virtqueue queue = driver.Enable();
        driver.AvailableIndex = index;

        AssertFails(queue, ChainError.TooManyAvailable);
    }

    [Fact]
    public void No_more_chains_are_in_flight_than_there_are_descriptors()
    {
        TestDriver driver = new(_memory, 4);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        driver.WriteDescriptor(0, In, 1, 0, 0);
        for (int i = 0; i < 4; i++)
        {
            driver.MakeAvailable(0);
            Assert.True(queue.TryTake(chain));
        }

        driver.MakeAvailable(0);

        AssertFails(queue, ChainError.TooManyAvailable);
    }

    [Fact]
    public void A_stopped_queue_still_takes_chains_back_and_works_again_once_it_is_enabled_anew()
    {
        TestDriver driver = new(_memory, 4);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        ushort head = driver.Add(Read(1));
        Assert.True(queue.TryTake(chain));
        driver.MakeAvailable(77);
        AssertFails(queue, ChainError.HeadOutOfRange);

        queue.Complete(head, 0);

        Assert.True(queue.ShouldInterrupt());
        Assert.True(driver.TryReap(out ushort used, out _));
        Assert.Equal(head, used);
        TestDriver again = new(_memory, 4);
        Assert.True(queue.TryEnable(4, again.Descriptors, again.Available, again.Used, VirtioFeatures.None));
        Assert.Equal(ChainError.None, queue.Error);
        again.Add(Read(1));
        Assert.True(queue.TryTake(chain));
    }

    [Fact]
    public void A_chain_of_an_older_life_goes_nowhere()
    {
        TestDriver driver = new(_memory, 4);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        driver.Add(Read(1));
        Assert.True(queue.TryTake(chain));
        queue.Disable();
        queue.Complete(chain.Head, 1);
        Assert.Equal(0, driver.UsedIndex);
        TestDriver next = new(_memory, 4);
        Assert.True(queue.TryEnable(4, next.Descriptors, next.Available, next.Used, VirtioFeatures.None));

        queue.Complete(chain.Head, 1);

        Assert.Equal((0, 0), (driver.UsedIndex, next.UsedIndex));
        Assert.False(queue.ShouldInterrupt());
    }

    [Fact]
    public void Without_event_indices_flags_say_who_wants_to_be_told()
    {
        TestDriver driver = new(_memory, 4);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        queue.SuppressNotifications();
        driver.Add(Read(1));
        Assert.False(driver.ShouldKick());
        Assert.True(queue.ResumeNotifications());
        driver.Add(Read(1));
        Assert.True(driver.ShouldKick());
        Assert.True(queue.TryTake(chain));
        driver.DisableInterrupts();
        queue.Complete(chain.Head, 0);
        Assert.False(queue.ShouldInterrupt());
        Assert.True(queue.TryTake(chain));
        Assert.False(queue.ResumeNotifications());
        Assert.True(driver.EnableInterrupts());
        queue.Complete(chain.Head, 0);
        Assert.True(queue.ShouldInterrupt());
    }

    [Fact]
    public void With_event_indices_a_driver_kicks_once_for_what_the_device_has_not_seen()
    {
        TestDriver driver = new(_memory, 4, eventIndex: true);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        for (int i = 0; i < 40_000; i++)
        {
            driver.Add(Read(1));
            Assert.True(driver.ShouldKick());
            queue.SuppressNotifications();
            driver.Add(Read(1));
            Assert.False(driver.ShouldKick());
            for (int k = 0; k < 2; k++)
            {
                Assert.True(queue.TryTake(chain));
                queue.Complete(chain.Head, 0);
                Assert.True(driver.TryReap(out _, out _));
            }

            Assert.False(queue.ResumeNotifications());
        }
    }

    [Fact]
    public void An_interrupt_comes_exactly_when_the_index_asked_for_is_among_those_completed()
    {
        TestDriver driver = new(_memory, 16, eventIndex: true);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        driver.WriteDescriptor(0, In, 1, 0, 0);
        Random random = new(1);
        ushort completed = 0;
        int interrupts = 0;
        for (int i = 0; i < 50_000; i++)
        {
            int batch = random.Next(0, 17);
            ushort asked = (ushort)(completed + random.Next(-20, 40));
            _memory.Write(driver.Available + 4 + 32, asked);
            for (int k = 0; k < batch; k++)
            {
                driver.MakeAvailable(0);
                Assert.True(queue.TryTake(chain));
                queue.Complete(0, 0);
            }

            bool expected = false;
            for (int k = 0; k < batch; k++)
                expected |= (ushort)(completed + k) == asked;
            bool actual = queue.ShouldInterrupt();
            if (expected != actual)
                Assert.Fail($"{batch} completed from {completed} on, asked for {asked}: {actual}");
            completed += (ushort)batch;
            interrupts += actual ? 1 : 0;
        }

        Assert.InRange(interrupts, 1000, 40_000);
    }

    [Fact]
    public void More_completions_than_an_index_counts_interrupt_whatever_is_asked_for()
    {
        TestDriver driver = new(_memory, 4, eventIndex: true);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        driver.WriteDescriptor(0, In, 1, 0, 0);
        _memory.Write(driver.Available + 4 + 8, (ushort)5);
        for (int i = 0; i < 65536; i++)
        {
            driver.MakeAvailable(0);
            Assert.True(queue.TryTake(chain));
            queue.Complete(0, 0);
        }

        Assert.True(queue.ShouldInterrupt());
    }

    [Fact]
    public void Nothing_is_allocated_per_chain()
    {
        TestDriver driver = new(_memory, 8, eventIndex: true);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        ulong table = _memory.Allocate(32);
        driver.WriteDescriptorAt(table, In, 16, TestDriver.Next, 1);
        driver.WriteDescriptorAt(table + 16, Out, 16, TestDriver.Write, 0);
        driver.WriteDescriptor(0, table, 32, TestDriver.Indirect, 0);
        int pieces = 0;
        for (int round = 0; round < 2; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                driver.MakeAvailable(0);
                queue.SuppressNotifications();
                while (queue.TryTake(chain))
                {
                    pieces += chain.Readable.Length + chain.Writable.Length;
                    queue.Complete(chain.Head, 0);
                }

                queue.ResumeNotifications();
                queue.ShouldInterrupt();
            }

            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (round == 1)
                Assert.Equal(0, allocated);
        }

        Assert.Equal(4000, pieces);
    }

    [Fact]
    public async Task Whatever_a_driver_scribbles_at_any_moment_every_piece_lies_in_ram()
    {
        TestDriver driver = new(_memory, 8);
        Virtqueue queue = driver.Enable();
        using DescriptorChain chain = new(queue.LongestChain);
        using CancellationTokenSource end = new();
        Task scribbler = Task.Run(() =>
        {
            Random random = new(2);
            while (!end.IsCancellationRequested)
            {
                ulong at = driver.Descriptors + (2 * (ulong)random.Next(8 * 8));
                _memory.Write(at, (ushort)(random.Next(4) == 0 ? random.Next(65536) : random.Next(8)));
                _memory.Write(driver.Available + 4 + (2 * (ulong)random.Next(8)), (ushort)random.Next(9));
            }
        });
        int good = 0;
        int bad = 0;
        for (int i = 0; i < 20_000 || good == 0 || bad == 0; i++)
        {
            driver.AvailableIndex++;
            if (queue.TryTake(chain))
            {
                good++;
                foreach (IoVector piece in chain.Readable)
                    AssertInRam(piece);
                foreach (IoVector piece in chain.Writable)
                    AssertInRam(piece);
                queue.Complete(chain.Head, 0);
                continue;
            }

            bad++;
            if (queue.Error == ChainError.None || !queue.TryEnable(
                8, driver.Descriptors, driver.Available, driver.Used, VirtioFeatures.IndirectDescriptors))
                Assert.Fail("no chain, and no error");
            driver.AvailableIndex = 0;
        }

        await end.CancelAsync();
        await scribbler;
    }

    private static TestBuffer Read(int length) => TestBuffer.Readable(In, length);

    private static void AssertFails(Virtqueue queue, ChainError error)
    {
        using DescriptorChain chain = new(queue.LongestChain);
        Assert.False(queue.TryTake(chain));
        Assert.Equal(error, queue.Error);
        Assert.False(queue.TryTake(chain));
        Assert.False(queue.ResumeNotifications());
    }

    private unsafe void AssertInRam(IoVector piece)
    {
        bool inside = false;
        foreach (RamSlot slot in _memory.Memory.Slots)
        {
            ulong offset = (ulong)(piece.Base - (byte*)slot.Host);
            inside |= offset < slot.Range.Length && piece.Length <= slot.Range.Length - offset;
        }

        if (!inside || piece.Length == 0)
            Assert.Fail("a piece is not in RAM");
    }
}
