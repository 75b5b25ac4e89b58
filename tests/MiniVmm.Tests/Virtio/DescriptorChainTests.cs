using MiniVmm.Host;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

public sealed unsafe class DescriptorChainTests : IDisposable
{
    private readonly TestMemory _memory = new((0, 0x10000), (0x20000, 0x10000));
    private readonly TestDriver _driver;
    private readonly Virtqueue _queue;
    private readonly DescriptorChain _chain;

    public DescriptorChainTests()
    {
        _driver = new TestDriver(_memory, 8);
        _queue = _driver.Enable();
        _chain = new DescriptorChain(_queue.LongestChain);
    }

    public void Dispose()
    {
        _chain.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void Pieces_to_read_and_to_write_are_apart_and_in_order()
    {
        _driver.Add(
            TestBuffer.Readable(0x4000, 1), TestBuffer.Readable(0x20000, 2), TestBuffer.Writable(0x5000, 3),
            TestBuffer.Writable(0xffff, 1));

        Assert.True(_queue.TryTake(_chain));

        Assert.Equal([(0x4000, 1), (0x20000, 2)], Addresses(_chain.Readable));
        Assert.Equal([(0x5000, 3), (0xffff, 1)], Addresses(_chain.Writable));
        Assert.Equal((3u, 4u), (_chain.ReadableLength, _chain.WritableLength));
    }

    [Fact]
    public void A_chain_is_as_new_each_time()
    {
        _driver.Add(TestBuffer.Readable(0x4000, 1), TestBuffer.Writable(0x5000, 3));
        _driver.Add(TestBuffer.Writable(0x6000, 9));
        Assert.True(_queue.TryTake(_chain));
        Assert.True(_queue.TryTake(_chain));

        Assert.Equal(0, _chain.Readable.Length);
        Assert.Equal([(0x6000, 9)], Addresses(_chain.Writable));
        Assert.Equal((0u, 9u), (_chain.ReadableLength, _chain.WritableLength));
    }

    [Fact]
    public void A_table_of_descriptors_is_as_good_as_a_chain()
    {
        _driver.AddIndirect(TestBuffer.Readable(0x4000, 1), TestBuffer.Writable(0x5000, 3));

        Assert.True(_queue.TryTake(_chain));

        Assert.Equal([(0x4000, 1)], Addresses(_chain.Readable));
        Assert.Equal([(0x5000, 3)], Addresses(_chain.Writable));
    }

    [Fact]
    public void A_chain_may_end_in_a_table_whose_write_flag_means_nothing()
    {
        ulong table = _memory.Allocate(32);
        _driver.WriteDescriptor(0, 0x4000, 1, TestDriver.Next, 5);
        _driver.WriteDescriptor(5, table, 32, TestDriver.Indirect | TestDriver.Write, 0);
        _driver.WriteDescriptorAt(table, 0x4100, 2, TestDriver.Next, 1);
        _driver.WriteDescriptorAt(table + 16, 0x5000, 3, TestDriver.Write, 0);
        _driver.MakeAvailable(0);

        Assert.True(_queue.TryTake(_chain));

        Assert.Equal([(0x4000, 1), (0x4100, 2)], Addresses(_chain.Readable));
        Assert.Equal([(0x5000, 3)], Addresses(_chain.Writable));
    }

    [Theory]
    [InlineData(1024, true)]
    [InlineData(1025, false)]
    public void A_table_holds_up_to_1024_descriptors(int count, bool good)
    {
        ulong table = _memory.Allocate(16 * count);
        for (int i = 0; i < count; i++)
        {
            ushort flags = i < count - 1 ? TestDriver.Next : (ushort)0;
            _driver.WriteDescriptorAt(table + (16 * (ulong)i), 0x20000 + (ulong)i, 1, flags, (ushort)(i + 1));
        }

        _driver.WriteDescriptor(0, table, (uint)(16 * count), TestDriver.Indirect, 0);
        _driver.MakeAvailable(0);

        Assert.Equal(good, _queue.TryTake(_chain));

        Assert.Equal(good ? ChainError.None : ChainError.BadIndirect, _queue.Error);
        if (good)
            Assert.Equal((1024, 1024u), (_chain.Readable.Length, _chain.ReadableLength));
    }

    [Fact]
    public void A_chain_longer_than_the_device_can_take_is_refused()
    {
        using DescriptorChain two = new(2);
        _driver.Add(TestBuffer.Readable(0x4000, 1), TestBuffer.Readable(0x4000, 1), TestBuffer.Readable(0x4000, 1));

        Assert.False(_queue.TryTake(two));

        Assert.Equal(ChainError.TooLong, _queue.Error);
    }

    [Fact]
    public void A_table_that_is_the_queue_s_own_leads_nowhere_else()
    {
        // The queue's own table read as an indirect one: what it holds is then in a table, and names no other.
        _driver.WriteDescriptor(0, _driver.Descriptors, 16, TestDriver.Indirect, 0);
        _driver.MakeAvailable(0);

        Assert.False(_queue.TryTake(_chain));

        Assert.Equal(ChainError.BadIndirect, _queue.Error);
    }

    [Fact]
    public void A_table_that_loops_is_refused()
    {
        ulong table = _memory.Allocate(32);
        _driver.WriteDescriptor(0, table, 32, TestDriver.Indirect, 0);
        _driver.WriteDescriptorAt(table, 0x4000, 1, TestDriver.Next, 1);
        _driver.WriteDescriptorAt(table + 16, 0x4000, 1, TestDriver.Next, 0);
        _driver.MakeAvailable(0);

        Assert.False(_queue.TryTake(_chain));

        Assert.Equal(ChainError.TooLong, _queue.Error);
    }

    private (int Address, int Length)[] Addresses(ReadOnlySpan<IoVector> pieces)
    {
        (int, int)[] addresses = new (int, int)[pieces.Length];
        for (int i = 0; i < pieces.Length; i++)
        {
            long offset = pieces[i].Base - _memory.Pointer(0);
            bool first = offset is >= 0 and < 0x10000;
            offset = first ? offset : 0x20000 + (pieces[i].Base - _memory.Pointer(0x20000));
            addresses[i] = ((int)offset, (int)pieces[i].Length);
        }

        return addresses;
    }
}
