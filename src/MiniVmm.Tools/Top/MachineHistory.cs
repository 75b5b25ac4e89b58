namespace MiniVmm.Tools.Top;

/// <summary>What one machine did in the last minute or so.</summary>
/// <param name="name">Its name.</param>
internal sealed class MachineHistory(string name)
{
    /// <summary>How many rates are kept, and shown at most.</summary>
    public const int Length = 40;

    private readonly List<double> _rates = [];
    private MachineSample? _before;
    private TimeSpan _time;

    public string Name => name;

    /// <summary>How it was when it last answered; null if it never did.</summary>
    public MachineSample? Last { get; private set; }

    /// <summary>Whether it is gone.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Exits a second of all vCPUs, the oldest first.</summary>
    public IReadOnlyList<double> Rates => _rates;

    /// <summary>Exits a second now.</summary>
    public double Rate => HasEnded || _rates.Count == 0 ? 0 : _rates[^1];

    public void Add(MachineSample sample)
    {
        HasEnded = false;
        if (Last is { } last && sample.Uptime < last.Uptime)
            (_before, Last) = (null, null); // another one of that name, or started again
        (_before, Last) = (Last, sample);
        if (_before is null)
            return;
        _time = sample.Uptime - _before.Uptime;
        if (_time <= TimeSpan.Zero)
            return;
        if (_rates.Count == Length)
            _rates.RemoveAt(0);
        _rates.Add(Reasons().Values.Sum(rates => rates.Sum()));
    }

    /// <summary>It does not answer any more.</summary>
    public void End() => HasEnded = true;

    /// <summary>Exits a second by reason, for each vCPU, the most frequent first.</summary>
    public IReadOnlyDictionary<string, double[]> Reasons() => RatesOf(sample => sample.Exits);

    /// <summary>Events that KVM counts, a second, for each vCPU, the most frequent first; without what does not happen now.</summary>
    public IReadOnlyDictionary<string, double[]> Counted() => WithoutIdle(RatesOf(sample => sample.Counted));

    /// <summary>Times that KVM measures, in nanoseconds a second, the same way.</summary>
    public IReadOnlyDictionary<string, double[]> Measured() => WithoutIdle(RatesOf(sample => sample.Measured));

    /// <summary>The shares of its time that a vCPU's thread was in guest, kernel and MiniVmm, from 0 to 1.</summary>
    public (double Guest, double Kernel, double Monitor) Shares(int vcpu)
    {
        if (_before is null || Last is null || !Last.Times.TryGetValue(vcpu, out VcpuTime now) || !_before.Times.TryGetValue(vcpu, out VcpuTime before))
            return default;
        VcpuTime spent = now - before;
        double ticks = _time.TotalSeconds * VcpuTime.TicksPerSecond;
        return ticks <= 0 ? default : (Share(spent.Guest), Share(spent.Kernel), Share(spent.Monitor));

        double Share(long part) => Math.Clamp(part / ticks, 0, 1);
    }

    /// <summary>A device's counter a second.</summary>
    public double DeviceRate((string Device, string Counter) key) =>
        Last is null || _before is null ? 0 : PerSecond(Last.Devices.GetValueOrDefault(key) - _before.Devices.GetValueOrDefault(key));

    private Dictionary<string, double[]> RatesOf(Func<MachineSample, List<Dictionary<string, long>?>> counts)
    {
        Dictionary<string, double[]> all = [];
        if (Last is null)
            return all;
        List<Dictionary<string, long>?> now = counts(Last);
        List<Dictionary<string, long>?> earlier = _before is null ? [] : counts(_before);
        for (int vcpu = 0; vcpu < now.Count; vcpu++)
        {
            foreach ((string name, long count) in now[vcpu] ?? [])
            {
                long before = vcpu < earlier.Count && earlier[vcpu] is { } had ? had.GetValueOrDefault(name) : count;
                if (!all.TryGetValue(name, out double[]? rates))
                    all.Add(name, rates = new double[now.Count]);
                rates[vcpu] = PerSecond(count - before);
            }
        }

        return all.OrderByDescending(item => item.Value.Sum()).ThenBy(item => item.Key, StringComparer.Ordinal)
            .ToDictionary(item => item.Key, item => item.Value);
    }

    private static Dictionary<string, double[]> WithoutIdle(Dictionary<string, double[]> rates) =>
        rates.Where(item => item.Value.Any(rate => rate > 0)).ToDictionary(item => item.Key, item => item.Value);

    private double PerSecond(long count) => _time > TimeSpan.Zero ? Math.Max(count, 0) / _time.TotalSeconds : 0;
}
