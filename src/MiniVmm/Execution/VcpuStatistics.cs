using System.Diagnostics;
using System.Runtime.CompilerServices;
using Iced.Intel;
using MiniVmm.Kvm;

namespace MiniVmm.Execution;

/// <summary>
/// What one vCPU thread counts while it runs. Others may read it at any time: each count is right, if perhaps a little old.
/// </summary>
public sealed class VcpuStatistics
{
    // One more than the highest reason known; later ones share the last slot.
    private const int Reasons = 64;

    // A power of two.
    private const int Kept = 16;
    private const int Mnemonics = 2048; // more than the decoder knows
    private readonly long[] _counts = new long[Reasons];
    private readonly ExitRecord[] _last = new ExitRecord[Kept];
    private uint _remembered;
    private long[]? _assisted;
    private long _inGuest;
    private long _outside;

    /// <summary>When the first exit came, in <see cref="Stopwatch"/> ticks; 0 before.</summary>
    public long FirstExit { get; private set; }

    /// <summary>
    /// Bytes allocated on the managed heap between the first entry and the last exit; 0 is the contract. Without what the
    /// assist takes for the first instruction of each kind that it completes.
    /// </summary>
    public long AllocatedBytes { get; set; }

    /// <summary>Time inside KVM_RUN, kernel included; only where it was measured.</summary>
    public TimeSpan InGuest => Stopwatch.GetElapsedTime(0, _inGuest);

    /// <summary>Time between two KVM_RUN: MiniVmm's own.</summary>
    public TimeSpan Outside => Stopwatch.GetElapsedTime(0, _outside);

    /// <summary>Exits in all.</summary>
    public long Total => _counts.Sum();

    /// <summary>Returns from KVM_RUN that a kick made.</summary>
    internal long Kicks => _counts[(int)KvmExitReason.KVM_EXIT_INTR];

    /// <summary>Exits but for those that a kick made, which are not the guest's.</summary>
    internal long OfGuest => _counts.Sum() - Kicks;

    /// <summary>How often each reason occurred, the most frequent first.</summary>
    public IEnumerable<(KvmExitReason Reason, long Count)> ByReason =>
        _counts.Select((count, reason) => ((KvmExitReason)reason, count))
            .Where(row => row.count > 0)
            .OrderByDescending(row => row.count);

    /// <summary>The last exits, the oldest first; whole only while the vCPU is out of the guest.</summary>
    internal IEnumerable<ExitRecord> Last
    {
        get
        {
            uint end = _remembered;
            for (uint i = end > Kept ? end - Kept : 0; i != end; i++)
                yield return _last[i % Kept];
        }
    }

    /// <summary>Keeps an exit that has been served; with a read, what the guest gets.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal unsafe void Remember(in VmExit exit, uint reason)
    {
        ref ExitRecord last = ref _last[_remembered++ % Kept];
        last = exit.Kind is ExitKind.PortRead or ExitKind.PortWrite or ExitKind.MmioRead or ExitKind.MmioWrite
            ? new(exit.Kind, reason, exit.Size, exit.Count, exit.Address, First(exit))
            : new(exit.Kind, reason, 0, 0, 0, 0);
    }

    /// <summary>How often each instruction was completed for KVM, the most frequent first.</summary>
    public IEnumerable<(string Instruction, long Count)> Assisted =>
        (Volatile.Read(ref _assisted) ?? [])
            .Select((count, mnemonic) => (((Mnemonic)mnemonic).ToString().ToLowerInvariant(), count))
            .Where(row => row.count > 0)
            .OrderByDescending(row => row.count);

    /// <returns>Whether it is the first of its kind.</returns>
    internal bool CountAssisted(Mnemonic mnemonic)
    {
        long[] counts = _assisted ?? new long[Mnemonics];
        Volatile.Write(ref _assisted, counts);
        return ++counts[Math.Min((int)mnemonic, Mnemonics - 1)] == 1;
    }

    internal void Count(uint reason)
    {
        _counts[Math.Min(reason, Reasons - 1)]++;
        if (FirstExit == 0)
            FirstExit = Stopwatch.GetTimestamp();
    }

    private static unsafe ulong First(in VmExit exit) => exit.Size switch
    {
        1 => *exit.Data,
        2 => Unsafe.ReadUnaligned<ushort>(exit.Data),
        4 => Unsafe.ReadUnaligned<uint>(exit.Data),
        8 => Unsafe.ReadUnaligned<ulong>(exit.Data),
        _ => 0, // an MMIO access in parts
    };

    internal void AddInGuest(long ticks) => _inGuest += ticks;

    internal void AddOutside(long ticks) => _outside += ticks;
}
