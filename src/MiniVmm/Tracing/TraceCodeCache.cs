namespace MiniVmm.Tracing;

/// <summary>
/// Which code a thread has sent to the reader already: a table of places, each for one of the RIPs that fall there. The reader
/// keeps what was sent last for a place, and ring order keeps the two in step. Allocates nothing.
/// </summary>
internal sealed class TraceCodeCache
{
    /// <summary>Places, a power of two.</summary>
    public const int Slots = 1024;

    private readonly ulong[] _rips = new ulong[Slots];
    private readonly ulong[] _spaces = new ulong[Slots];

    /// <summary>The place of a RIP.</summary>
    public static ushort SlotOf(ulong rip, ulong space) => (ushort)(((rip ^ space) * 0x9e3779b97f4a7c15) >> 54);

    /// <summary>Whether the code of a RIP was sent.</summary>
    /// <param name="slot">Its place.</param>
    /// <param name="rip">Linear address.</param>
    /// <param name="space">Tells address spaces and modes apart; never 0.</param>
    public bool Holds(ushort slot, ulong rip, ulong space) => _rips[slot] == rip && _spaces[slot] == space;

    /// <summary>It has been sent.</summary>
    public void Keep(ushort slot, ulong rip, ulong space) => (_rips[slot], _spaces[slot]) = (rip, space);
}
