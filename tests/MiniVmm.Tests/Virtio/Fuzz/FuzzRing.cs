using System.Buffers.Binary;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>
/// What the fuzzed driver knows of one queue: where the device was told that it is, and the chains that the device may
/// have in its hands.
/// </summary>
public sealed class FuzzRing
{
    private readonly FuzzMemory _memory;
    private readonly ushort _maxSize;
    private readonly List<Chain> _pending = [];
    private ushort _seen;
    private ushort _reaped;

    public FuzzRing(FuzzMemory memory, ushort maxSize)
    {
        _memory = memory;
        Size = _maxSize = maxSize;
    }

    public ushort Size { get; set; }

    public bool IsReady { get; set; }

    public ulong Descriptors { get; set; }

    public ulong Available { get; set; }

    public ulong Used { get; set; }

    /// <summary>The device uses it.</summary>
    public bool IsLive { get; private set; }

    /// <summary>The index that the driver published last.</summary>
    public ushort Published { get; set; }

    public int NextDescriptor { get; set; }

    /// <summary>Descriptors in chains that did not come back.</summary>
    public int DescriptorsOut => _pending.Sum(chain => chain.Descriptors);

    public int ChainsOut => _pending.Count;

    public void Reset()
    {
        Size = _maxSize;
        IsReady = IsLive = false;
        Descriptors = Available = Used = 0;
        _pending.Clear();
    }

    public void Begin()
    {
        IsLive = true;

        // As a driver does with fresh rings, also with one that lies where something else was.
        _memory.Write(Used + 2, [0, 0]);
        _seen = 0;
        Published = _memory.TryRead(Available + 2, out ushort index) ? index : (ushort)0;
        _reaped = 0;
        _pending.Clear();
    }

    /// <summary>Marks all that the device may write when it runs now.</summary>
    public void Mark()
    {
        _memory.AllowRing(Used, 6 + (8 * (ulong)Size));
        _memory.MarkStructure(Available, 6 + (2 * (ulong)Size));
        _memory.MarkStructure(Descriptors, 16 * (ulong)Size);
        _memory.TryRead(Available + 2, out ushort index);

        // Not only until the queue is full: a device's worker may complete something before the device looks.
        for (int i = 0; _seen != index && i < Size && _pending.Count < 4 * Size; i++)
        {
            _memory.TryRead(Available + 4 + (2 * (ulong)(_seen % Size)), out ushort head);
            _pending.Add(new Chain { Head = head });
            _seen++;
        }

        // What is changed in a chain that the device holds, or does not: it may go by either.
        foreach (Chain chain in _pending)
        {
            Walk(chain);
            foreach ((ulong address, uint length) in chain.Writable)
                _memory.AllowBuffer(address, length);
        }
    }

    /// <summary>Takes what the device gave back; says what is wrong with that.</summary>
    /// <param name="tangled">Becomes true where that cannot be told.</param>
    public string? Reap(ref long completed, ref bool tangled)
    {
        _memory.TryRead(Used + 2, out ushort index);
        int given = (ushort)(index - _reaped);
        if (given > _pending.Count)
            return $"the device gave back {given} chains of {_pending.Count}";

        // A driver that makes more available than the ring holds gets more back than the ring holds, if the device was
        // done with some before it saw the rest: the first ones are written over.
        if (given > Size)
        {
            tangled = true;
            Forget();
            return null;
        }

        while (_reaped != index)
        {
            _memory.Ram.Memory.TryRead(Used + 4 + (8 * (ulong)(_reaped % Size)), out uint id);
            _memory.Ram.Memory.TryRead(Used + 8 + (8 * (ulong)(_reaped % Size)), out uint written);
            int at = _pending.FindIndex(chain => chain.Head == id);
            if (at < 0)
                return $"the device gave back chain {id}, which it does not have";
            if (written > _pending[at].MostWritable)
                return $"the device wrote {written} of {_pending[at].MostWritable} bytes";
            Chain done = _pending[at];
            _pending.RemoveAt(at);

            // Where a head is in flight twice, nobody can tell which of the two came back.
            if (_pending.Find(chain => chain.Head == id) is { } twin)
            {
                twin.Writable.AddRange(done.Writable);
                twin.MostWritable = Math.Max(twin.MostWritable, done.MostWritable);
            }

            _reaped++;
            completed++;
        }

        return null;
    }

    /// <summary>After a tangle: whatever is in the used ring counts as reaped.</summary>
    public void Forget()
    {
        _memory.TryRead(Used + 2, out _reaped);
        _memory.TryRead(Available + 2, out _seen);
        _pending.Clear();
    }

    private void Walk(Chain chain)
    {
        ulong table = Descriptors;
        int size = Size;
        int index = chain.Head;
        ulong writable = 0;
        bool indirect = false;
        chain.Descriptors = 0;
        Span<byte> descriptor = stackalloc byte[16];
        for (int left = size; left > 0 && index < size; left--)
        {
            if (!_memory.Ram.Memory.TryGetSpan(table + (16 * (ulong)index), 16, out Span<byte> bytes))
                break;
            bytes.CopyTo(descriptor);
            ulong address = BinaryPrimitives.ReadUInt64LittleEndian(descriptor);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(descriptor[8..]);
            int flags = descriptor[12];
            if (!indirect)
                chain.Descriptors++;
            if ((flags & TestDriver.Indirect) != 0)
            {
                if (indirect || length > 16 * 1024)
                    break;
                indirect = true;
                table = address;
                size = left = (int)(length / 16);
                left++;
                index = 0;
                _memory.MarkStructure(table, length);
                continue;
            }

            if ((flags & TestDriver.Write) != 0)
            {
                writable += length;
                if (_memory.Ram.Memory.TryGetSpan(address, (int)Math.Min(length, int.MaxValue), out _)
                    && !chain.Writable.Contains((address, length)))
                    chain.Writable.Add((address, length));
            }

            if ((flags & TestDriver.Next) == 0)
                break;
            index = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[14..]);
        }

        chain.MostWritable = Math.Max(chain.MostWritable, writable);
    }

    private sealed class Chain
    {
        public ushort Head { get; init; }

        public int Descriptors { get; set; }

        public ulong MostWritable { get; set; }

        public List<(ulong Address, uint Length)> Writable { get; } = [];
    }
}
