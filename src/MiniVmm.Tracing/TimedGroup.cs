namespace MiniVmm.Tracing.Files;

/// <summary>Events that have something in common, and how long they took.</summary>
internal sealed class TimedGroup
{
    private readonly List<long> _times = [];
    private bool _sorted;

    private TimedGroup(string name) => Name = name;

    public string Name { get; }

    public int Count => _times.Count;

    /// <summary>Nanoseconds in all.</summary>
    public long Sum { get; private set; }

    /// <summary>Groups events.</summary>
    /// <param name="items">The events.</param>
    /// <param name="key">What a group has in common; null for an event that belongs to none.</param>
    /// <returns>The largest group first.</returns>
    public static List<TimedGroup> By(List<TracedItem> items, Func<TracedItem, string?> key)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(key);
        Dictionary<string, TimedGroup> groups = [];
        foreach (TracedItem item in items)
        {
            if (key(item) is not { } name)
                continue;
            if (!groups.TryGetValue(name, out TimedGroup? group))
                groups[name] = group = new TimedGroup(name);
            group._times.Add(item.Took);
            group.Sum += item.Took;
        }

        List<TimedGroup> ordered = [.. groups.Values];
        ordered.Sort((a, b) => b.Count.CompareTo(a.Count) is not 0 and var order ? order : string.CompareOrdinal(a.Name, b.Name));
        return ordered;
    }

    /// <summary>Nanoseconds that so many in a hundred do not exceed (nearest rank).</summary>
    public long Percentile(int percent)
    {
        if (!_sorted)
            _times.Sort();
        _sorted = true;
        int rank = (int)Math.Ceiling(percent / 100.0 * _times.Count);
        return _times[Math.Clamp(rank - 1, 0, _times.Count - 1)];
    }
}
