using System.Globalization;

namespace MiniVmm.Measurement;

/// <summary>
/// The kernel's text for a set of CPUs, <c>0-3,8</c> (Documentation/core-api/printk-formats.rst, <c>%*pbl</c>).
/// </summary>
internal static class CpuList
{
    /// <summary>How many CPUs a list names; null if it is not such a list. The empty list names none.</summary>
    public static int? Count(string? text)
    {
        if (text is null)
            return null;
        long count = 0;
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !TryCpu(ends[0], out int first) || !TryCpu(ends[^1], out int last) || last < first)
                return null;
            count += (long)last - first + 1;
        }

        return count <= int.MaxValue ? (int)count : null;
    }

    /// <summary>Writes CPUs as such a list.</summary>
    /// <param name="cpus">In any order; one that comes twice counts once.</param>
    public static string Format(IEnumerable<int> cpus)
    {
        List<(int First, int Last)> ranges = [];
        foreach (int cpu in cpus.Distinct().Order())
        {
            if (ranges.Count > 0 && cpu - 1 == ranges[^1].Last)
                ranges[^1] = (ranges[^1].First, cpu);
            else
                ranges.Add((cpu, cpu));
        }

        return string.Join(',', ranges.Select(r => r.First == r.Last ? $"{r.First}" : $"{r.First}-{r.Last}"));
    }

    private static bool TryCpu(string text, out int cpu) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out cpu);
}
