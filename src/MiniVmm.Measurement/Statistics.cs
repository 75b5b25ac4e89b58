namespace MiniVmm.Measurement;

/// <summary>Order statistics of a few values.</summary>
public static class Statistics
{
    /// <summary>The value that the given share of all does not exceed, interpolated between neighbours.</summary>
    /// <param name="values">In any order; at least one.</param>
    /// <param name="share">From 0 to 1.</param>
    public static double Quantile(IEnumerable<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        ArgumentOutOfRangeException.ThrowIfZero(sorted.Length, nameof(values));
        double position = share * (sorted.Length - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (position - below));
    }

    /// <summary>The distance between the quartiles as a share of the median; 0 for fewer than two values.</summary>
    public static double QuartileSpread(IReadOnlyCollection<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (values.Count < 2)
            return 0;
        double median = Quantile(values, 0.5);
        return median > 0 ? (Quantile(values, 0.75) - Quantile(values, 0.25)) / median : 0;
    }
}
