using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

public sealed class VirtqueueTests : IDisposable
{
    private readonly TestMemory _memory = new();

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
            ushort head = driver.Add(TestBuffer.Readable(0x8000, 5), TestBuffer.Writable(0x9000, 7));
            Assert.True(queue.TryTake(chain));
            Assert.Equal(head, chain.Head);
            Assert.Equal((5u, 7u), (chain.ReadableLength, chain.WritableLength));
            Assert.False(queue.TryTake(chain));
            queue.Complete(chain.Head, 3);
            Assert.True(queue.ShouldInterrupt() || eventIndex);
            Assert.True(driver.TryReap(out ushort used, out uint written));
            Assert.Equal((head, 3u), (used, written));
        }
    }
}
