using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

/// <summary>
/// Parts ("slices") of L2 tables or refcount blocks. The least recently used one is evicted when another is needed;
/// dirty ones never are: the image writes those back in its own order. Slices rather than whole tables, since a table
/// is a cluster of up to 2 MiB.
/// </summary>
/// <remarks>
/// Called under the lock of the image's tables, except for <see cref="WriteDirty"/>, which the thread that dirties
/// slices calls.
/// </remarks>
internal sealed unsafe class TableCache(IImageFile file, int sliceSize, int capacity) : IDisposable
{
    private readonly Dictionary<ulong, int> _slots = [];
    private readonly List<int> _dirty = [];
    private readonly ulong _expected = file.Length;
    private Slot[] _slot = [];
    private int _count;
    private int _newest = -1;
    private int _oldest = -1;

    /// <summary>Bytes of a slice: no more than a cluster.</summary>
    public int SliceSize => sliceSize;

    /// <summary>Slices that the file does not have yet.</summary>
    public int DirtyCount => _dirty.Count;

    /// <summary>Most of them before the image should write them back.</summary>
    public int DirtyLimit => capacity / 2;

    /// <summary>Whether a slice is in memory, where it may be newer than in the file.</summary>
    public bool Contains(ulong offset) => _slots.ContainsKey(offset);

    /// <summary>A slice's bytes; valid until the lock is released.</summary>
    /// <param name="offset">In the file; a multiple of the slice's size.</param>
    /// <param name="bytes">As long as a slice.</param>
    /// <returns>0 or the errno of reading it.</returns>
    public int Get(ulong offset, out byte* bytes)
    {
        if (_slots.TryGetValue(offset, out int slot))
        {
            if (slot != _newest)
            {
                Unlink(slot);
                LinkNewest(slot);
            }

            bytes = _slot[slot].Buffer!.Bytes;
            return 0;
        }

        bytes = null;
        if (!TryFindRoom(out slot))
            return Errno.ENOMEM;
        ref Slot found = ref _slot[slot];
        IoVector piece = found.Buffer!.Piece(0, (ulong)sliceSize);
        int errno = file.Read(offset, new ReadOnlySpan<IoVector>(in piece), _expected);
        if (errno != 0)
        {
            found.Offset = Nowhere;
            LinkOldest(slot);
            return errno;
        }

        found.Offset = offset;
        _slots.Add(offset, slot);
        LinkNewest(slot);
        bytes = found.Buffer.Bytes;
        return 0;
    }

    /// <summary>Marks the slice just fetched as dirty.</summary>
    public void MarkDirty(ulong offset)
    {
        int slot = _slots[offset];
        if (_slot[slot].IsDirty)
            return;
        _slot[slot].IsDirty = true;
        _dirty.Add(slot);
    }

    /// <summary>Writes the dirty slices, without the lock: nobody else changes or evicts them.</summary>
    public int WriteDirty()
    {
        Slot[] slots = _slot;
        foreach (int slot in _dirty)
        {
            IoVector piece = slots[slot].Buffer!.Piece(0, (ulong)sliceSize);
            int errno = file.Write(slots[slot].Offset, new ReadOnlySpan<IoVector>(in piece));
            if (errno != 0)
                return errno;
        }

        return 0;
    }

    /// <summary>Marks all slices as clean.</summary>
    public void SetClean()
    {
        foreach (int slot in _dirty)
            _slot[slot].IsDirty = false;
        _dirty.Clear();
    }

    /// <summary>Drops what is cached of a part of the file, which is used for something else.</summary>
    public void Forget(ulong offset, ulong length)
    {
        for (ulong at = offset; at < offset + length; at += (ulong)sliceSize)
        {
            if (!_slots.Remove(at, out int slot))
                continue;
            if (_slot[slot].IsDirty)
                _dirty.Remove(slot);
            _slot[slot].IsDirty = false;
            _slot[slot].Offset = Nowhere;
            Unlink(slot);
            LinkOldest(slot);
        }
    }

    public void Dispose()
    {
        for (int i = 0; i < _count; i++)
            _slot[i].Buffer!.Dispose();
        _count = 0;
    }

    private const ulong Nowhere = ulong.MaxValue;

    private bool TryFindRoom(out int slot)
    {
        slot = -1;
        if (_count >= capacity)
        {
            for (slot = _oldest; slot >= 0 && _slot[slot].IsDirty;)
                slot = _slot[slot].Newer;
        }

        if (slot >= 0)
        {
            Unlink(slot);
            _slots.Remove(_slot[slot].Offset);
            return true;
        }

        // Even if all are dirty: readers cannot write back, and the few extra slices are soon clean again.
        try
        {
            if (_count == _slot.Length)
                Array.Resize(ref _slot, Math.Max(8, _count * 2));
            _slot[_count] = new Slot { Buffer = new AlignedBuffer((ulong)sliceSize), Offset = Nowhere };
        }
        catch (OutOfMemoryException)
        {
            return false;
        }

        slot = _count++;
        return true;
    }

    private void Unlink(int slot)
    {
        (int older, int newer) = (_slot[slot].Older, _slot[slot].Newer);
        if (older >= 0)
            _slot[older].Newer = newer;
        else
            _oldest = newer;
        if (newer >= 0)
            _slot[newer].Older = older;
        else
            _newest = older;
    }

    private void LinkNewest(int slot)
    {
        _slot[slot].Older = _newest;
        _slot[slot].Newer = -1;
        if (_newest >= 0)
            _slot[_newest].Newer = slot;
        else
            _oldest = slot;
        _newest = slot;
    }

    private void LinkOldest(int slot)
    {
        _slot[slot].Older = -1;
        _slot[slot].Newer = _oldest;
        if (_oldest >= 0)
            _slot[_oldest].Older = slot;
        else
            _newest = slot;
        _oldest = slot;
    }

    private struct Slot
    {
        public AlignedBuffer? Buffer;
        public ulong Offset;
        public int Older;
        public int Newer;
        public bool IsDirty;
    }
}
