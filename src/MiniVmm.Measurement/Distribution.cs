using HdrHistogram;

namespace MiniVmm.Measurement;

/// <summary>
/// How durations are distributed: every one counted, to three digits, in constant memory whatever their number
/// (HdrHistogram); smallest, largest and sum exactly. Percentiles are the smallest recorded duration that the given
/// share of all does not exceed.
/// </summary>
/// <param name="nanosecondsPerTick">What one tick is.</param>
public sealed class Distribution(double nanosecondsPerTick)
{
    // Minutes at any frequency. From the next tick on, HdrHistogram 2.5.0 gives durations that are too short: it shifts
    // an int by 31 (HdrHistogram.NET pull request 169).
    private const long LongestTicks = (1L << 41) - 1;
    private readonly LongHistogram _histogram = new(1, LongestTicks, 3);
    private long _smallest = long.MaxValue;
    private long _largest;
    private double _sum;

    /// <summary>The percentiles that tables and files give.</summary>
    public static IReadOnlyList<(string Name, double Percent)> Percentiles { get; } =
        [("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9)];

    /// <summary>Durations recorded.</summary>
    public long Count => _histogram.TotalCount;

    /// <summary>The shortest, in nanoseconds; 0 where there is none.</summary>
    public double Min => Count == 0 ? 0 : _smallest * nanosecondsPerTick;

    /// <summary>The longest, in nanoseconds.</summary>
    public double Max => _largest * nanosecondsPerTick;

    /// <summary>The arithmetic mean, in nanoseconds.</summary>
    public double Mean => Count == 0 ? 0 : _sum / Count * nanosecondsPerTick;

    /// <summary>The median, in nanoseconds.</summary>
    public double Median => Percentile(50);

    /// <summary>Counts one duration. A negative one, from two CPUs whose clocks disagree, counts as 0.</summary>
    public void Record(long ticks)
    {
        ticks = Math.Clamp(ticks, 0, LongestTicks);
        _histogram.RecordValue(ticks);
        _smallest = Math.Min(_smallest, ticks);
        _largest = Math.Max(_largest, ticks);
        _sum += ticks;
    }

    /// <summary>Takes over all that another one counted.</summary>
    public void Add(Distribution other)
    {
        ArgumentNullException.ThrowIfNull(other);
        _histogram.Add(other._histogram);
        _smallest = Math.Min(_smallest, other._smallest);
        _largest = Math.Max(_largest, other._largest);
        _sum += other._sum;
    }

    /// <summary>A percentile in nanoseconds, between <see cref="Min"/> and <see cref="Max"/>.</summary>
    /// <param name="percent">From 0 to 100.</param>
    public double Percentile(double percent)
    {
        if (Count == 0)
            return 0;
        // The histogram rounds a rank to the nearest, and may so give a duration that too few do not exceed: it is
        // given the share that is exactly the rank's. Decimals, for 99.9 % of 1000 are no more than 999.
        decimal rank = Math.Ceiling((decimal)percent * Count / 100);
        long ticks = _histogram.GetValueAtPercentile(100 * (double)rank / Count);
        return Math.Clamp(ticks, _smallest, _largest) * nanosecondsPerTick;
    }

    /// <summary>
    /// How many durations fell into each of some ranges that grow by the same factor, from the shortest to the longest
    /// recorded: what is drawn on a logarithmic axis.
    /// </summary>
    /// <param name="factor">Ratio of a range's end to its start, above 1.</param>
    /// <returns>Start and end in nanoseconds, and the count; empty ranges in between included.</returns>
    public IReadOnlyList<(double From, double To, long Count)> Buckets(double factor)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(factor, 1);
        if (Count == 0)
            return [];
        long start = Math.Max(_smallest, 1);
        int last = Index(_largest, start, factor);
        long[] counts = new long[last + 1];
        foreach (HdrHistogram.Iteration.HistogramIterationValue value in _histogram.RecordedValues())
            counts[Math.Min(Index(value.ValueIteratedTo, start, factor), last)] += value.CountAddedInThisIterationStep;
        return
        [
            .. counts.Select((count, i) => (
                start * Math.Pow(factor, i) * nanosecondsPerTick,
                start * Math.Pow(factor, i + 1) * nanosecondsPerTick,
                count)),
        ];
    }

    private static int Index(long ticks, long start, double factor) =>
        ticks <= start ? 0 : (int)(Math.Log((double)ticks / start) / Math.Log(factor));
}
