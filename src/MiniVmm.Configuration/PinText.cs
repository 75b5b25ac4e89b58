using System.Globalization;
using MiniVmm.Execution;

namespace MiniVmm.Configuration;

/// <summary>Host CPUs in the form of taskset(1) and cpuset(7): <c>0,2</c> or <c>0-3</c>.</summary>
public static class PinText
{
    /// <exception cref="BadInputException">It is not such a list.</exception>
    public static IReadOnlyList<int> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> cpus = [];
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !TryCpu(ends[0], out int first) || !TryCpu(ends[^1], out int last) || last < first)
            {
                throw new BadInputException(
                    $"{OptionName.Pin.With(text)}: '{part}' is not a host CPU; use numbers and ranges from 0 to "
                    + $"{PinList.MaxCpu}, as in 0,2 or 0-3");
            }

            cpus.AddRange(Enumerable.Range(first, last - first + 1));
        }

        return cpus;
    }

    private static bool TryCpu(string text, out int cpu) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out cpu) && cpu <= PinList.MaxCpu;
}
