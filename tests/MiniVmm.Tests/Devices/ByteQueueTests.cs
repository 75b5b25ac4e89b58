using CsCheck;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

public sealed class ByteQueueTests
{
    [Fact]
    public void It_behaves_as_a_queue_that_holds_so_many() =>
        Gen.Select(Gen.Int[1, 5], Gen.Byte.Array[0, 40]).Sample(
            (capacity, steps) =>
            {
                ByteQueue queue = new(capacity);
                Queue<byte> model = [];
                foreach (byte step in steps)
                {
                    if (step % 3 != 0 && queue.Room > 0)
                    {
                        queue.Enqueue(step);
                        model.Enqueue(step);
                    }
                    else if (queue.Count > 0)
                    {
                        Assert.Equal(model.Dequeue(), queue.Dequeue());
                    }

                    Assert.Equal(model.Count, queue.Count);
                    Assert.Equal(capacity - model.Count, queue.Room);
                }

                queue.Discard(queue.Count);
                Assert.Equal(capacity, queue.Room);
            },
            iter: 300, threads: 1);
}
