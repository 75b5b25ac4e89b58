using System.Globalization;

namespace MiniVmm.Measurement;

/// <summary>A measurement as a comma-separated table, a row a loop; durations in nanoseconds.</summary>
public static class ExitCsv
{
    public static void Write(ExitReport report, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(writer);
        string percentiles = string.Join(',', Distribution.Percentiles.Select(percentile => percentile.Name));
        writer.WriteLine(
            $"name,clock,count,min,{percentiles},max,mean,kvm_run_p50,own_p50,guest_p50,spread,"
            + "returns,returns_by_kernel");
        foreach (LoopResult result in report.Loops.Where(result => result.Missing is null))
        {
            Distribution latency = result.Latency;
            KernelCheck? returns = result.Checks.FirstOrDefault(check => check.Counter == KernelCounter.Returns);
            string?[] cells =
            [
                result.Loop.Name,
                ExitJson.Name(result.Loop.Clock),
                Number(latency.Count),
                Number(latency.Min),
                .. Distribution.Percentiles.Select(percentile => Number(latency.Percentile(percentile.Percent))),
                Number(latency.Max),
                Number(latency.Mean),
                Number(result.Split?.KvmRun.Median),
                Number(result.Split?.Own.Median),
                Number(result.Guest?.Median),
                result.Spread.ToString("F4", CultureInfo.InvariantCulture),
                Number(returns?.Expected),
                Number(returns?.Counted),
            ];
            writer.WriteLine(string.Join(',', cells));
        }
    }

    private static string? Number(double? nanoseconds) => nanoseconds?.ToString("F1", CultureInfo.InvariantCulture);

    private static string? Number(long? count) => count?.ToString(CultureInfo.InvariantCulture);
}
