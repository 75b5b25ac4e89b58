using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using MiniVmm.Memory;
using MiniVmm.Virtio;

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
    private readonly Dictionary<ushort, List<FuzzFilling>> _filled = [];
    private readonly Chain?[] _walked;
    private ushort _seen;
    private ushort _reaped;
    private bool _eventIndex;
    private bool _indirect;

    public FuzzRing(FuzzMemory memory, ushort maxSize)
    {
        _memory = memory;
        Size = _maxSize = maxSize;
        _walked = new Chain?[maxSize];
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

    /// <summary>The device asked to be told of a chain that there is now, and was not told yet.</summary>
    public bool IsOwedKick { get; set; }

    /// <summary>The driver asked to be told of what came back last.</summary>
    public bool IsOwedInterrupt { get; set; }

    /// <summary>Why the device may refuse to go on; null where there is no reason.</summary>
    public string? Mistake { get; private set; }

    /// <summary>The driver took chains back, and nobody can tell any more what the device may do.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Chains that the driver may make available and the device has to take.</summary>
    public int Room => Math.Max(0, Size - (ushort)(Published - _reaped));

    public void Reset()
    {
        Size = _maxSize;
        IsReady = IsLive = IsLost = IsOwedKick = IsOwedInterrupt = false;
        Descriptors = Available = Used = 0;
        _pending.Clear();
        _filled.Clear();
    }

    public void Begin(ulong features)
    {
        IsLive = true;
        _eventIndex = ((VirtioFeatures)features).HasFlag(VirtioFeatures.EventIndex);
        _indirect = ((VirtioFeatures)features).HasFlag(VirtioFeatures.IndirectDescriptors);

        // As a driver does with fresh rings, also with one that lies where something else was.
        _memory.Write(Used + 2, [0, 0]);
        _seen = 0;
        Published = _memory.TryRead(Available + 2, out ushort index) ? index : (ushort)0;
        _reaped = 0;
        _pending.Clear();
        _filled.Clear();
    }

    /// <summary>What virtio 1.2, 2.7.5 and 2.7.6, 2.7.8 and the size of RAM ask of a queue before it is used.</summary>
    public bool CanBegin() =>
        Size != 0 && Size <= _maxSize && BitOperations.IsPow2(Size)
        && Descriptors % 16 == 0 && Available % 2 == 0 && Used % 4 == 0
        && _memory.Ram.Memory.TryGetSpan(Descriptors, 16 * Size, out _)
        && _memory.Ram.Memory.TryGetSpan(Available, 6 + (2 * Size), out _)
        && _memory.Ram.Memory.TryGetSpan(Used, 6 + (8 * Size), out _);

    /// <summary>Remembers what is in a chain's buffers: where the device says it wrote it must be gone.</summary>
    public void Fill(ushort head, List<FuzzFilling>? fillings)
    {
        if (fillings is null)
            _filled.Remove(head);
        else
            _filled[head] = fillings;
    }

    /// <summary>The index was so much before the driver published: does the device want to hear (2.7.10)?</summary>
    public void Announce(ushort before)
    {
        if (_eventIndex)
        {
            _memory.TryRead(Used + 4 + (8 * (ulong)Size), out ushort asked);
            IsOwedKick |= (ushort)(Published - asked - 1) < (ushort)(Published - before);
        }
        else
        {
            _memory.TryRead(Used, out ushort flags);
            IsOwedKick |= (flags & 1) == 0;
        }
    }

    /// <summary>Marks all that the device may write when it runs now.</summary>
    /// <param name="leastWritable">Chains with less to write are a mistake.</param>
    public void Mark(uint leastWritable)
    {
        _memory.AllowRing(Used, 6 + (8 * (ulong)Size));
        _memory.MarkStructure(Available, 6 + (2 * (ulong)Size));
        _memory.MarkStructure(Descriptors, 16 * (ulong)Size);
        _memory.TryRead(Available + 2, out ushort index);
        Mistake = (ushort)(index - _reaped) > Size ? "more available than there are" : null;

        // Of too many the device takes none. An index that went back nobody can make sense of.
        ushort fresh = (ushort)(index - _seen);
        IsLost |= fresh > short.MaxValue;
        for (int i = 0; Mistake is null && i < fresh; i++)
        {
            _memory.TryRead(Available + 4 + (2 * (ulong)(_seen % Size)), out ushort head);
            _pending.Add(new Chain { Head = head });
            _seen++;
        }

        // What is changed in a chain that the device holds, or does not: it may go by either.
        Array.Clear(_walked);
        foreach (Chain chain in _pending)
        {
            Chain? twin = chain.Head < _walked.Length ? _walked[chain.Head] : null;
            if (twin is not null)
                chain.TakeOver(twin);
            else
                Walk(chain);
            if (chain.Head < _walked.Length)
                _walked[chain.Head] ??= chain;
            if (chain.Writable.Count != twin?.Writable.Count)
            {
                foreach ((ulong address, uint length) in chain.Writable)
                    _memory.AllowBuffer(address, length);
            }

            if (!chain.IsSound)
                Mistake ??= $"chain {chain.Head}";
            else if (chain.NowWritable < leastWritable)
                Mistake ??= $"chain {chain.Head} with so little to write";
        }
    }

    /// <summary>Takes what the device gave back; says what is wrong with that.</summary>
    /// <param name="mostStatus">The largest that an answer's last byte can be.</param>
    /// <param name="completed">Grows.</param>
    public string? Reap(byte mostStatus, ref long completed)
    {
        _memory.TryRead(Used + 2, out ushort index);
        SeeWish(index);
        bool alone = (ushort)(index - _reaped) == 1;
        while (_reaped != index)
        {
            _memory.Ram.Memory.TryRead(Used + 4 + (8 * (ulong)(_reaped % Size)), out uint id);
            _memory.Ram.Memory.TryRead(Used + 8 + (8 * (ulong)(_reaped % Size)), out uint written);
            int at = _pending.FindIndex(chain => chain.Head == id);
            if (at < 0)
                return $"the device gave back chain {id}, which it does not have";
            Chain done = _pending[at];
            if (written > done.MostWritable)
                return $"the device wrote {written} of {done.MostWritable} bytes";
            if (!done.WasSound)
                return $"the device took chain {id}, which is malformed";
            if (Untouched(done, written, alone ? mostStatus : byte.MaxValue) is { } wrong)
                return wrong;
            _pending.RemoveAt(at);

            // Where a head is in flight twice, nobody can tell which of the two came back.
            if (_pending.Find(chain => chain.Head == id) is { } twin)
            {
                twin.Writable.AddRange(done.Writable.Except(twin.Writable));
                twin.MostWritable = Math.Max(twin.MostWritable, done.MostWritable);
                twin.WasSound = true;
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

    /// <summary>
    /// Whether some of these bytes are those by which chains are counted: a driver that writes there by mistake would
    /// only mislead the one who checks.
    /// </summary>
    public bool Counts(ulong address, ulong length)
    {
        GuestRange bytes = new(address, length);
        return IsLive && (bytes.Overlaps(new GuestRange(Used, 6 + (8 * (ulong)Size)))
            || bytes.Overlaps(new GuestRange(Available + 4, 2 * (ulong)Size)));
    }

    /// <summary>Whether everything came back.</summary>
    public bool IsDone()
    {
        _memory.TryRead(Available + 2, out ushort index);
        return _reaped == index;
    }

    /// <summary>Whether a page's number is in what the device was given to read, as balloons are.</summary>
    public bool Names(ulong page)
    {
        foreach (Chain chain in _pending)
        {
            if (chain.Readable.TrueForAll(piece => piece.Length % sizeof(uint) == 0))
            {
                if (chain.Readable.Exists(
                    piece => Numbers(_memory.Ram.Bytes(piece.Address, (int)piece.Length)).Contains((uint)page)))
                    return true;
            }
            else
            {
                byte[] bytes = [.. chain.Readable.SelectMany(
                    piece => _memory.Ram.Bytes(piece.Address, (int)piece.Length).ToArray())];
                if (Numbers(bytes).Contains((uint)page))
                    return true;
            }
        }

        return false;
    }

    /// <summary>Whether one buffer that the device may write to holds all of that.</summary>
    public bool Offers(ulong address, ulong length) =>
        _pending.Any(chain => chain.Writable.Any(
            piece => new GuestRange(piece.Address, piece.Length).Contains(address, length)));

    private static Span<uint> Numbers(Span<byte> bytes) => MemoryMarshal.Cast<byte, uint>(bytes);

    private void SeeWish(ushort index)
    {
        if (index == _reaped)
            return;
        if (_eventIndex)
        {
            _memory.TryRead(Available + 4 + (2 * (ulong)Size), out ushort asked);
            IsOwedInterrupt |= (ushort)(index - asked - 1) < (ushort)(index - _reaped);
        }
        else
        {
            _memory.TryRead(Available, out ushort flags);
            IsOwedInterrupt |= (flags & 1) == 0;
        }
    }

    /// <summary>Looks for bytes that the device says it wrote, and did not.</summary>
    private string? Untouched(Chain chain, uint written, byte mostStatus)
    {
        if (chain.IsTwin || !_filled.TryGetValue(chain.Head, out List<FuzzFilling>? fillings)
            || fillings.Count != chain.Writable.Count)
            return null;
        uint left = written;
        for (int i = 0; i < fillings.Count; i++)
        {
            FuzzFilling filling = fillings[i];
            GuestRange range = new(filling.Address, (ulong)filling.Bytes.Length);
            if (chain.Writable[i] != (range.Start, (uint)range.Length)
                || chain.Readable.Exists(piece => range.Overlaps(new GuestRange(piece.Address, piece.Length))))
                return null;
            int said = (int)Math.Min(left, (uint)filling.Bytes.Length);
            left -= (uint)said;
            ReadOnlySpan<byte> bytes = _memory.Ram.Bytes(filling.Address, said);
            ReadOnlySpan<byte> before = filling.Bytes.Span[..said];
            if (said >= 8 && (bytes[..8].SequenceEqual(before[..8]) || bytes[^8..].SequenceEqual(before[^8..])))
                return $"the device says it wrote {written} bytes, and left some at 0x{filling.Address:x}";
            if (i == fillings.Count - 1 && said != 0 && said == filling.Bytes.Length && bytes[^1] > mostStatus)
                return $"the device answered with {bytes[^1]}";
        }

        return null;
    }

    private void Walk(Chain chain)
    {
        ulong table = Descriptors;
        int size = Size;
        int index = chain.Head;
        ulong writable = 0;
        ulong total = 0;
        bool indirect = false;
        bool ends = false;
        bool sound = true;
        chain.IsTwin = false;
        chain.Descriptors = 0;
        chain.Readable.Clear();
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
                sound &= _indirect && (flags & TestDriver.Next) == 0 && length % 16 == 0
                    && _memory.Ram.Memory.TryGetSpan(address, (int)length, out _);
                indirect = true;
                table = address;
                size = left = (int)(length / 16);
                left++;
                index = 0;
                _memory.MarkStructure(table, length);
                continue;
            }

            total += length;
            bool isRam = _memory.Ram.Memory.TryGetSpan(address, (int)Math.Min(length, int.MaxValue), out _);
            sound &= isRam && length != 0 && total <= uint.MaxValue;
            if ((flags & TestDriver.Write) != 0)
            {
                writable += length;
                if (isRam && !chain.Writable.Contains((address, length)))
                    chain.Writable.Add((address, length));
            }
            else
            {
                sound &= writable == 0;
                if (isRam)
                    chain.Readable.Add((address, length));
            }

            ends = (flags & TestDriver.Next) == 0;
            if (ends)
                break;
            index = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[14..]);
        }

        chain.NowWritable = writable;
        chain.MostWritable = Math.Max(chain.MostWritable, writable);
        chain.IsSound = ends && sound;
        chain.WasSound |= chain.IsSound;
    }

    private sealed class Chain
    {
        public ushort Head { get; init; }

        public int Descriptors { get; set; }

        public ulong NowWritable { get; set; }

        public ulong MostWritable { get; set; }

        /// <summary>As it is now a device has to take it.</summary>
        public bool IsSound { get; set; }

        /// <summary>Another one from the same head came before.</summary>
        public bool IsTwin { get; set; }

        /// <summary>It was so once since the driver made it available.</summary>
        public bool WasSound { get; set; }

        public List<(ulong Address, uint Length)> Writable { get; } = [];

        public List<(ulong Address, uint Length)> Readable { get; } = [];

        /// <summary>What was found on a walk from the same head.</summary>
        public void TakeOver(Chain twin)
        {
            Descriptors = twin.Descriptors;
            NowWritable = twin.NowWritable;
            MostWritable = Math.Max(MostWritable, twin.MostWritable);
            IsTwin = true;
            IsSound = twin.IsSound;
            WasSound |= twin.IsSound;
            foreach ((ulong Address, uint Length) piece in twin.Writable)
            {
                if (!Writable.Contains(piece))
                    Writable.Add(piece);
            }
        }
    }
}

/// <summary>A buffer that the device may write to, and what was in it before.</summary>
public readonly record struct FuzzFilling(ulong Address, ReadOnlyMemory<byte> Bytes);
