using System.Buffers.Binary;
using MiniVmm.Host;

namespace MiniVmm.Virtio.Balloon;

/// <summary>
/// What a guest says of its memory (virtio 1.2, 5.5.6.4; the tags from 10 on are Linux 6.12's). What it does not say is
/// null; none of it is checked.
/// </summary>
internal sealed class BalloonStatistics
{
    /// <summary>How many tags are known.</summary>
    internal const int Tags = 16;

    private const int EntrySize = 10; // a tag of 2 bytes, a value of 8, packed

    // A driver has one entry for each tag; how long a list is looked at.
    private const int MostEntries = 64;

    private static readonly (string Name, bool IsBytes)[] Figures =
    [
        ("swapIn", true), ("swapOut", true), ("majorFaults", false), ("minorFaults", false), ("freeMemory", true),
        ("totalMemory", true), ("availableMemory", true), ("diskCaches", true), ("hugePageAllocations", false),
        ("hugePageFailures", false), ("oomKills", false), ("allocationStalls", false), ("asyncScans", false),
        ("directScans", false), ("asyncReclaims", false), ("directReclaims", false),
    ];

    private readonly ulong?[] _values;

    /// <param name="values">By tag; copied.</param>
    internal BalloonStatistics(ReadOnlySpan<ulong?> values) => _values = values.ToArray();

    /// <summary>Bytes swapped in since the guest's start.</summary>
    public ulong? SwapIn => _values[0];

    /// <summary>Bytes swapped out since its start.</summary>
    public ulong? SwapOut => _values[1];

    /// <summary>Page faults that had to wait for a disk.</summary>
    public ulong? MajorFaults => _values[2];

    /// <summary>Page faults that had not.</summary>
    public ulong? MinorFaults => _values[3];

    /// <summary>Bytes used for nothing.</summary>
    public ulong? Free => _values[4];

    /// <summary>Bytes of RAM that the guest's kernel has.</summary>
    public ulong? Total => _values[5];

    /// <summary>Bytes that could be had without swapping.</summary>
    public ulong? Available => _values[6];

    /// <summary>Bytes of files kept in RAM.</summary>
    public ulong? DiskCaches => _values[7];

    /// <summary>Huge pages taken from the guest's own pool, ever.</summary>
    public ulong? HugePageAllocations => _values[8];

    /// <summary>Times that its pool had none.</summary>
    public ulong? HugePageFailures => _values[9];

    /// <summary>Processes ended for want of memory.</summary>
    public ulong? OomKills => _values[10];

    /// <summary>Times that an allocation had to wait for memory.</summary>
    public ulong? AllocationStalls => _values[11];

    /// <summary>Pages looked at by the guest's background reclaim.</summary>
    public ulong? AsyncScans => _values[12];

    /// <summary>Pages looked at by whoever needed memory.</summary>
    public ulong? DirectScans => _values[13];

    /// <summary>Pages that background reclaim got.</summary>
    public ulong? AsyncReclaims => _values[14];

    /// <summary>Pages got by whoever needed them.</summary>
    public ulong? DirectReclaims => _values[15];

    /// <summary>What the guest said, by the names that <c>stats</c> has for it; no more than a long holds.</summary>
    public IReadOnlyDictionary<string, long> ByName()
    {
        Dictionary<string, long> said = [];
        for (int i = 0; i < Tags; i++)
        {
            if (_values[i] is { } value)
                said.Add(Figures[i].Name, (long)Math.Min(value, long.MaxValue));
        }

        return said;
    }

    /// <summary>Whether the figure of that name is a size in bytes; the others are counts.</summary>
    internal static bool IsSize(string name) => Array.IndexOf(Figures, (name, true)) >= 0;

    /// <summary>Reads entries until the list ends, or the last is not whole; passes over tags that are not known.</summary>
    internal static void Read(IoCursor entries, Span<ulong?> values)
    {
        values.Clear();
        Span<byte> entry = stackalloc byte[EntrySize];
        for (int i = 0; i < MostEntries && entries.TryCopyOut(entry); i++)
        {
            ushort tag = BinaryPrimitives.ReadUInt16LittleEndian(entry);
            if (tag < Tags)
                values[tag] = BinaryPrimitives.ReadUInt64LittleEndian(entry[2..]);
        }
    }
}
