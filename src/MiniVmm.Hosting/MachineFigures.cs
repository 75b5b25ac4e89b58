using MiniVmm.Control;

namespace MiniVmm.Hosting;

/// <summary>What a machine counted, in one run or in several.</summary>
internal sealed record MachineFigures
{
    public static readonly MachineFigures None = new();

    /// <summary>Exits of all vCPUs, by KVM's name of the reason.</summary>
    public IReadOnlyDictionary<string, long> Exits { get; init; } = new Dictionary<string, long>();

    /// <summary>Time of all vCPUs in KVM_RUN; null where it was not measured.</summary>
    public TimeSpan? InGuest { get; init; }

    /// <summary>Time of all vCPUs between two KVM_RUN; null where it was not measured.</summary>
    public TimeSpan? Outside { get; init; }

    /// <summary>The devices' counters, by device and counter, as <c>ctl stats</c> names them.</summary>
    public IReadOnlyDictionary<(string Device, string Counter), long> Devices { get; init; } =
        new Dictionary<(string, string), long>();

    /// <summary>vCPUs that are in the machine; 0 where no machine is.</summary>
    public int Vcpus { get; init; }

    /// <summary>Guest RAM in bytes; 0 where no machine is.</summary>
    public ulong MemoryBytes { get; init; }

    /// <summary>The balloon as it is now; null without one.</summary>
    public BalloonState? Balloon { get; init; }

    /// <summary>The counts of both; what does not count is as in the later run.</summary>
    public MachineFigures Then(MachineFigures later) => later with
    {
        Exits = Sum(Exits, later.Exits),
        InGuest = Sum(InGuest, later.InGuest),
        Outside = Sum(Outside, later.Outside),
        Devices = Sum(Devices, later.Devices),
    };

    private static TimeSpan? Sum(TimeSpan? a, TimeSpan? b) => a is null ? b : b is null ? a : a + b;

    private static Dictionary<TKey, long> Sum<TKey>(
        IReadOnlyDictionary<TKey, long> a, IReadOnlyDictionary<TKey, long> b)
        where TKey : notnull
    {
        Dictionary<TKey, long> sum = new(a);
        foreach ((TKey key, long count) in b)
            sum[key] = sum.GetValueOrDefault(key) + count;
        return sum;
    }
}
