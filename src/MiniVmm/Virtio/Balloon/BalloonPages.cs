using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Memory;

namespace MiniVmm.Virtio.Balloon;

/// <summary>
/// The pages that a guest parts with, on their way to the host: page numbers are looked up in RAM and neighbours given
/// back in one go. Numbers of no RAM are passed over. One thread's.
/// </summary>
internal sealed unsafe class BalloonPages
{
    private const ulong PageSize = 4 * MemoryLayout.KiB;
    private readonly GuestMemory _memory;
    private readonly IPageRelease _host;
    private readonly ulong _unit;
    private readonly HugePageTally? _tally;
    private readonly IReadOnlyList<RamSlot> _atStart;
    private ulong _runStart;
    private ulong _runEnd;
    private ulong _released;

    public BalloonPages(GuestMemory memory, IPageRelease host)
    {
        _memory = memory;
        _host = host;
        _unit = host.ReleaseUnit;
        _atStart = memory.Slots;
        if (_unit > PageSize)
        {
            ulong bytes = memory.Slots.Aggregate(0UL, (sum, slot) => sum + slot.Range.Length);
            _tally = new HugePageTally(bytes / PageSize, (int)(_unit / PageSize));
        }
    }

    /// <summary>Whether pages are gathered until a huge one is whole.</summary>
    public bool Gathers => _tally is not null;

    /// <summary>Bytes given back, ever; a page that comes and goes counts each time. Any thread.</summary>
    public ulong Released => Volatile.Read(ref _released);

    /// <summary>The last errno of a host that took nothing back, or 0.</summary>
    public int Error { get; private set; }

    /// <summary>The guest does without 4 KiB; they go with their neighbours, or at <see cref="Flush"/>.</summary>
    public void Inflate(uint number)
    {
        if (!TryFind(number, out ulong host, out ulong page))
            return;
        if (_tally is not null)
        {
            if (_tally.Add(page))
                Release(host - (page * PageSize % _unit), _unit);
        }
        else if (host == _runEnd)
        {
            _runEnd += PageSize;
        }
        else if (host + PageSize == _runStart)
        {
            _runStart = host; // Linux names pages in the reverse order of allocation
        }
        else
        {
            Flush();
            _runStart = host;
            _runEnd = host + PageSize;
        }
    }

    /// <summary>The guest wants it back: there is nothing to do but to remember, its next access brings it.</summary>
    public void Deflate(uint number)
    {
        if (_tally is not null && TryFind(number, out _, out ulong page))
            _tally.Remove(page);
    }

    /// <summary>The guest has no use for these bytes now: what of them is whole pages goes back.</summary>
    public void Report(IoVector bytes)
    {
        ulong start = ((ulong)bytes.Base + _unit - 1) & ~(_unit - 1);
        ulong end = ((ulong)bytes.Base + bytes.Length) & ~(_unit - 1);
        if (start < end)
            Release(start, end - start);
    }

    /// <summary>Gives back what <see cref="Inflate"/> still has in hand.</summary>
    public void Flush()
    {
        if (_runStart != _runEnd)
            Release(_runStart, _runEnd - _runStart);
        _runStart = _runEnd = 0;
    }

    /// <summary>The driver was reset, and uses what it likes.</summary>
    public void Forget() => _tally?.Clear();

    public void Save(StateWriter writer)
    {
        writer.WriteBool(Gathers);
        _tally?.Save(writer);
    }

    public void Restore(StateReader reader)
    {
        bool gathered = reader.ReadBool();
        reader.Check(gathered == Gathers, $"guest RAM with{(gathered ? "" : "out")} huge pages, and here it is otherwise");
        _tally?.Restore(reader);
    }

    private void Release(ulong host, ulong length)
    {
        if (_host.TryRelease((nint)host, length, out int error))
            Volatile.Write(ref _released, _released + length);
        else
            Error = error;
    }

    /// <param name="number">Guest-physical page number.</param>
    /// <param name="host">Where it lies in this process.</param>
    /// <param name="page">Its number among all of RAM, without the holes.</param>
    private bool TryFind(uint number, out ulong host, out ulong page)
    {
        ulong address = number * PageSize;
        ulong before = 0;

        // Pages are counted through: what is plugged later would shift them. Its huge pages are unplugged, not ballooned.
        IReadOnlyList<RamSlot> slots = _tally is null ? _memory.Slots : _atStart;
        for (int i = 0; i < slots.Count; i++)
        {
            GuestRange range = slots[i].Range;
            if (range.Contains(address, PageSize))
            {
                host = (ulong)slots[i].Host + (address - range.Start);
                page = (before + (address - range.Start)) / PageSize;
                return true;
            }

            before += range.Length;
        }

        host = page = 0;
        return false;
    }
}
