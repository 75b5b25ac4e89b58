using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>A buffer of a chain: for the device to read, or for it to write.</summary>
public readonly record struct TestBuffer(ulong Address, uint Length, bool IsWritable)
{
    public static TestBuffer Readable(ulong address, int length) => new(address, (uint)length, false);

    public static TestBuffer Writable(ulong address, int length) => new(address, (uint)length, true);
}

/// <summary>
/// The driver's side of one split virtqueue (virtio 1.2, 2.7.13), with the barriers of a real one: for one thread, the
/// device being at work on another. What is not well behaved is written through the raw members.
/// </summary>
public sealed unsafe class TestDriver
{
    public const ushort Next = 1;
    public const ushort Write = 2;
    public const ushort Indirect = 4;

    private readonly TestMemory _memory;
    private readonly Stack<ushort> _free = new();
    private readonly ushort[] _chainLength;
    private ushort _available;
    private ushort _used;
    private ushort _kicked;

    /// <summary>Lays the rings out in fresh guest memory.</summary>
    public TestDriver(TestMemory memory, ushort size, bool eventIndex = false)
    {
        _memory = memory;
        Size = size;
        EventIndex = eventIndex;
        Descriptors = memory.Allocate(16 * size);
        Available = memory.Allocate(6 + (2 * size));
        Used = memory.Allocate(6 + (8 * size));
        _chainLength = new ushort[size];
        for (int i = size - 1; i >= 0; i--)
            _free.Push((ushort)i);
    }

    public ushort Size { get; }

    public bool EventIndex { get; }

    /// <summary>Guest addresses of the three parts.</summary>
    public ulong Descriptors { get; }

    public ulong Available { get; }

    public ulong Used { get; }

    /// <summary>Descriptors that are in no chain.</summary>
    public int Free => _free.Count;

    /// <summary>Chains that the device has not given back.</summary>
    public int Outstanding => (ushort)(_available - _used);

    /// <summary>The available index as the device sees it; raw.</summary>
    public ushort AvailableIndex
    {
        get => _available;
        set
        {
            _available = value;
            Volatile.Write(ref *(ushort*)_memory.Pointer(Available + 2, 2), value);
        }
    }

    /// <summary>The used index as the device wrote it.</summary>
    public ushort UsedIndex => Volatile.Read(ref *(ushort*)_memory.Pointer(Used + 2, 2));

    /// <summary>The device's end, in use over these rings.</summary>
    public Virtqueue Enable(VirtioFeatures more = VirtioFeatures.IndirectDescriptors, ushort maxSize = 0)
    {
        Virtqueue queue = new(_memory.Memory, Math.Max(maxSize, Size));
        VirtioFeatures features = more | (EventIndex ? VirtioFeatures.EventIndex : VirtioFeatures.None);
        Assert.True(queue.TryEnable(Size, Descriptors, Available, Used, features));
        return queue;
    }

    /// <summary>Makes a chain of descriptors and makes it available.</summary>
    /// <returns>Its head, as the used ring will name it.</returns>
    public ushort Add(params ReadOnlySpan<TestBuffer> buffers)
    {
        Assert.True(buffers.Length > 0 && buffers.Length <= _free.Count, "the test's queue is full");
        ushort head = _free.Peek();
        _chainLength[head] = (ushort)buffers.Length;
        for (int i = 0; i < buffers.Length; i++)
        {
            ushort index = _free.Pop();
            bool last = i == buffers.Length - 1;
            int flags = (buffers[i].IsWritable ? Write : 0) | (last ? 0 : Next);
            WriteDescriptor(
                index, buffers[i].Address, buffers[i].Length, (ushort)flags, last ? (ushort)0 : _free.Peek());
        }

        MakeAvailable(head);
        return head;
    }

    /// <summary>The same with a table of its own, in fresh guest memory.</summary>
    public ushort AddIndirect(params ReadOnlySpan<TestBuffer> buffers)
    {
        Assert.True(_free.Count > 0, "the test's queue is full");
        ulong table = _memory.Allocate(16 * buffers.Length);
        for (int i = 0; i < buffers.Length; i++)
        {
            bool last = i == buffers.Length - 1;
            int flags = (buffers[i].IsWritable ? Write : 0) | (last ? 0 : Next);
            WriteDescriptorAt(
                table + (16 * (ulong)i), buffers[i].Address, buffers[i].Length, (ushort)flags, (ushort)(i + 1));
        }

        ushort head = _free.Pop();
        _chainLength[head] = 1;
        WriteDescriptor(head, table, (uint)(16 * buffers.Length), Indirect, 0);
        MakeAvailable(head);
        return head;
    }

    /// <summary>Raw: one descriptor of the queue's table.</summary>
    public void WriteDescriptor(int index, ulong address, uint length, ushort flags, ushort next) =>
        WriteDescriptorAt(Descriptors + (16 * (ulong)index), address, length, flags, next);

    /// <summary>Raw: one descriptor anywhere.</summary>
    public void WriteDescriptorAt(ulong at, ulong address, uint length, ushort flags, ushort next)
    {
        _memory.Write(at, address);
        _memory.Write(at + 8, length);
        _memory.Write(at + 12, flags);
        _memory.Write(at + 14, next);
    }

    /// <summary>Raw: the next entry of the available ring, and the index behind it.</summary>
    public void MakeAvailable(ushort head)
    {
        _memory.Write(Available + 4 + (2 * (ulong)(_available % Size)), head);
        AvailableIndex = (ushort)(_available + 1);
    }

    /// <summary>
    /// Whether the device wants to be told of what was made available since this was last asked (2.7.13.4).
    /// </summary>
    public bool ShouldKick()
    {
        Interlocked.MemoryBarrier();
        ushort since = (ushort)(_available - _kicked);
        _kicked = _available;
        if (!EventIndex)
            return since != 0 && (Volatile.Read(ref *(ushort*)_memory.Pointer(Used, 2)) & 1) == 0;
        ushort asked = Volatile.Read(ref *(ushort*)_memory.Pointer(Used + 4 + (8 * (ulong)Size), 2));
        return (ushort)(_available - asked - 1) < since;
    }

    /// <summary>Takes the next used element, whose descriptors are free from then on.</summary>
    public bool TryReap(out ushort head, out uint written)
    {
        head = 0;
        written = 0;
        if (UsedIndex == _used)
            return false;
        ulong element = Used + 4 + (8 * (ulong)(_used % Size));
        uint id = _memory.Read<uint>(element);
        written = _memory.Read<uint>(element + 4);
        _used++;
        Assert.True(id < Size && _chainLength[id] != 0, $"the device gave back {id}, which it does not have");
        head = (ushort)id;
        Release(head);
        return true;
    }

    /// <summary>Asks for an interrupt at the next used element (2.7.10); says whether there is one already.</summary>
    public bool EnableInterrupts()
    {
        if (EventIndex)
            Volatile.Write(ref *(ushort*)_memory.Pointer(Available + 4 + (2 * (ulong)Size), 2), _used);
        else
            Volatile.Write(ref *(ushort*)_memory.Pointer(Available, 2), (ushort)0);
        Interlocked.MemoryBarrier();
        return UsedIndex != _used;
    }

    /// <summary>Asks for none (2.7.7); with event indices it is enough to leave the index behind.</summary>
    public void DisableInterrupts()
    {
        if (!EventIndex)
            Volatile.Write(ref *(ushort*)_memory.Pointer(Available, 2), (ushort)1);
    }

    private void Release(ushort head)
    {
        ushort index = head;
        for (int left = _chainLength[head]; left > 0; left--)
        {
            _free.Push(index);
            index = _memory.Read<ushort>(Descriptors + (16 * (ulong)index) + 14);
        }

        _chainLength[head] = 0;
    }
}
