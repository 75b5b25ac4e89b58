using MiniVmm.Memory;

namespace MiniVmm.Gdb;

/// <summary>
/// The INT3 instructions in guest memory, which are there only while vCPUs run: gdb sees what the guest put there. What the
/// guest writes over one stays.
/// </summary>
/// <param name="memory">Guest RAM.</param>
internal sealed class WrittenBreakpoints(GuestMemory memory)
{
    private const byte Int3 = 0xcc;

    private readonly Dictionary<ulong, Entry> _entries = []; // by linear address

    public bool IsEmpty => _entries.Count == 0;

    /// <summary>Whether one is at a linear address now.</summary>
    public bool IsAt(ulong linear) => _entries.ContainsKey(linear);

    /// <summary>Writes one.</summary>
    /// <param name="linear">Where vCPUs meet it.</param>
    /// <param name="physical">Where that is.</param>
    /// <returns>False where that is no RAM.</returns>
    public bool TryWrite(ulong linear, ulong physical)
    {
        if (_entries.ContainsKey(linear))
            return true;

        // Of two linear addresses of one byte the first knows what was there.
        byte original = 0;
        bool isShared = false;
        foreach (Entry other in _entries.Values)
        {
            if (other.Physical == physical)
                (original, isShared) = (other.Original, true);
        }

        if (!isShared && !memory.TryRead(physical, out original))
            return false;
        if (!memory.TryWrite(physical, Int3))
            return false;
        _entries.Add(linear, new(physical, original));
        return true;
    }

    /// <summary>Writes those again that the guest has written over, as by unpacking itself.</summary>
    /// <param name="isCode">
    /// Whether a linear address is code at a physical one now. Where it is not, the guest has freed the page, as Linux does with what
    /// only its start needs, and has data of its own there.
    /// </param>
    public void Renew(Func<ulong, ulong, bool> isCode)
    {
        foreach ((ulong linear, Entry entry) in _entries)
        {
            if (!memory.TryRead(entry.Physical, out byte now) || now == Int3 || !isCode(linear, entry.Physical))
                continue;
            _entries[linear] = entry with { Original = now };
            memory.TryWrite(entry.Physical, Int3);
        }
    }

    /// <summary>Puts back what was there; the vCPUs stand still.</summary>
    public void Remove()
    {
        foreach (Entry entry in _entries.Values)
        {
            if (memory.TryRead(entry.Physical, out byte now) && now == Int3)
                memory.TryWrite(entry.Physical, entry.Original);
        }

        _entries.Clear();
    }

    private readonly record struct Entry(ulong Physical, byte Original);
}
