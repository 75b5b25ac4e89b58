using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>A driver and a device on two threads: each sleeps until it is told; one lost wake-up hangs them.</summary>
public sealed class VirtqueueStressTests : IDisposable
{
    private static readonly TimeSpan Lost = TimeSpan.FromSeconds(20);
    private readonly TestMemory _memory = new();
    private readonly AutoResetEvent _kick = new(false);
    private readonly AutoResetEvent _interrupt = new(false);

    public void Dispose()
    {
        _kick.Dispose();
        _interrupt.Dispose();
        _memory.Dispose();
    }

    [Theory]
    [InlineData(false, 2, 10_000)]
    [InlineData(true, 2, 20_000)]
    [InlineData(true, 8, 80_000)] // past 65535
    [InlineData(true, 64, 150_000)]
    public async Task No_wake_up_is_lost_between_driver_and_device(bool eventIndex, ushort size, int chains)
    {
        TestDriver driver = new(_memory, size, eventIndex);
        Virtqueue queue = driver.Enable();
        Task<(int Taken, int Interrupts)> device = Task.Factory.StartNew(
            () => Serve(queue, chains), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        ulong buffer = _memory.Allocate(8 * size);
        Random random = new(3);
        int added = 0;
        int reaped = 0;
        int kicks = 0;
        while (reaped < chains)
        {
            for (int batch = random.Next(1, size + 1); batch > 0 && driver.Free > 0 && added < chains; batch--, added++)
                driver.Add(TestBuffer.Writable(buffer, 4));
            if (driver.ShouldKick())
            {
                kicks++;
                _kick.Set();
            }

            // Sleeps only where nothing more can be added.
            while (reaped < added && (driver.Free == 0 || added == chains))
            {
                driver.DisableInterrupts();
                while (driver.TryReap(out _, out uint written))
                {
                    if (written != 4)
                        Assert.Fail("a chain came back twice, or another's");
                    reaped++;
                }

                if ((driver.Free == 0 || added == chains) && reaped < added && !driver.EnableInterrupts()
                    && !_interrupt.WaitOne(Lost))
                    Assert.Fail($"no interrupt: {added} added, {reaped} came back, used index {driver.UsedIndex}");
            }
        }

        (int taken, int interrupts) = await device;
        Assert.Equal(chains, taken);
        Assert.InRange(kicks, 1, chains);
        Assert.InRange(interrupts, 1, chains);
    }

    private (int Taken, int Interrupts) Serve(Virtqueue queue, int chains)
    {
        using DescriptorChain chain = new(queue.LongestChain);
        int taken = 0;
        int interrupts = 0;
        while (taken < chains)
        {
            if (!_kick.WaitOne(Lost))
                throw new TimeoutException($"no kick: {taken} taken");
            queue.SuppressNotifications();
            do
            {
                while (queue.TryTake(chain))
                {
                    taken++;
                    queue.Complete(chain.Head, chain.WritableLength);
                    if (taken % 7 == 0 && queue.ShouldInterrupt())
                    {
                        interrupts++;
                        _interrupt.Set();
                    }
                }
            }
            while (queue.ResumeNotifications());
            if (queue.ShouldInterrupt())
            {
                interrupts++;
                _interrupt.Set();
            }

            if (queue.Error != ChainError.None)
                throw new InvalidOperationException($"{queue.Error}");
        }

        return (taken, interrupts);
    }
}
