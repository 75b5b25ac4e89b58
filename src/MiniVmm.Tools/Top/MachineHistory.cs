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
    public IReadOnlyDictionary<string, double[]> Reasons()
    {
        Dictionary<string, double[]> reasons = [];
        if (Last is null)
            return reasons;
        for (int vcpu = 0; vcpu < Last.Exits.Count; vcpu++)
        {
            foreach ((string reason, long count) in Last.Exits[vcpu])
            {
                long before = _before is not null && vcpu < _before.Exits.Count ? _before.Exits[vcpu].GetValueOrDefault(reason) : count;
                if (!reasons.TryGetValue(reason, out double[]? rates))
                    reasons.Add(reason, rates = new double[Last.Exits.Count]);
                rates[vcpu] = PerSecond(count - before);
            }
        }

        return reasons.OrderByDescending(reason => reason.Value.Sum()).ThenBy(reason => reason.Key, StringComparer.Ordinal)
            .ToDictionary(reason => reason.Key, reason => reason.Value);
    }

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

    private double PerSecond(long count) => _time > TimeSpan.Zero ? Math.Max(count, 0) / _time.TotalSeconds : 0;
}
