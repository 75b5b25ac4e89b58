using System.Globalization;

namespace MiniVmm.Kvm.Tests;

public sealed class ProgramImageTests
{
    [Fact]
    public void Code_of_the_start_leaves_memory_and_comes_back_where_it_is_called()
    {
        long before = ResidentCode();

        ProgramImage.ReleaseTouched();

        Assert.InRange(ResidentCode(), 1, before - 1);
    }

    /// <summary>KiB of the runtime's and the C library's code that this process has in memory.</summary>
    private static long ResidentCode()
    {
        long sum = 0;
        bool code = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!words[0].EndsWith(':'))
                code = words is [_, "r-xp", ..] && words[^1].Contains(".so", StringComparison.Ordinal);
            else if (code && words[0] == "Rss:")
                sum += long.Parse(words[1], CultureInfo.InvariantCulture);
        }

        return sum;
    }
}
