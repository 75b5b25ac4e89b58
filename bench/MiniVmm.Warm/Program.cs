using System.Diagnostics;
using System.Globalization;
using MiniVmm.Measurement;

namespace MiniVmm.Warm;

/// <summary>
/// <c>MiniVmm.Warm bare|KERNEL COUNT [keep]</c>: as native-tests/warm_twin.c. <c>MiniVmm.Warm compare TWIN ROUNDS COUNT
/// KERNEL</c>: this program beside the twin, in interleaved rounds; bench/warm-machines calls it.
/// </summary>
internal static class Program
{
    /// <summary>Not counted: the first ones find nothing in the caches, and threads that were never started.</summary>
    private const int WarmUp = 50;

    private static async Task<int> Main(string[] arguments)
    {
        switch (arguments)
        {
            case ["compare", var twin, var rounds, var count, var kernel]:
                Compare(twin, Number(rounds), Number(count), kernel);
                return 0;
            case [var kind, var count]:
                await MeasureAsync(kind, Number(count));
                return 0;
            case [var kind, var count, "keep"]:
                using (WarmMachines machines = Machines(kind))
                    Console.WriteLine(machines.Keep(Number(count)).ToString("F1", CultureInfo.InvariantCulture));
                return 0;
            default:
                Console.Error.WriteLine("usage: MiniVmm.Warm bare|KERNEL COUNT [keep], or compare TWIN ROUNDS COUNT KERNEL");
                return 2;
        }
    }

    private static async Task MeasureAsync(string kind, int count)
    {
        using WarmMachines machines = Machines(kind);
        for (int i = 0; i < count; i++)
            Console.WriteLine((await machines.MeasureAsync()).ToString("F0", CultureInfo.InvariantCulture));
    }

    private static void Compare(string twin, int rounds, int count, string kernel)
    {
        Console.WriteLine($"{"",-10} {"p50, C twin",12} {"ratio",8} {"(quartiles)",14} {"p99, C twin",12} {"ratio",8} {"(quartiles)",14} {"private memory, C twin / minivmm",34}");
        foreach ((string name, string kind) in ((string, string)[])[("bare", "bare"), ("PC", kernel)])
        {
            List<(double P50, double P99)> twins = [], own = [];
            for (int round = 0; round < rounds; round++)
            {
                // Each goes first as often as the other.
                bool twinFirst = round % 2 == 0;
                if (twinFirst)
                    twins.Add(Quantiles(twin, kind, count));
                own.Add(Quantiles(Environment.ProcessPath!, kind, count));
                if (!twinFirst)
                    twins.Add(Quantiles(twin, kind, count));
            }

            double kept = Lines(twin, kind, WarmUp, "keep")[0], keptOwn = Lines(Environment.ProcessPath!, kind, WarmUp, "keep")[0];
            Console.WriteLine($"{name,-10} {Times(twins, own, row => row.P50)} {Times(twins, own, row => row.P99)} "
                + string.Create(CultureInfo.InvariantCulture, $"{$"{kept:F0} / {keptOwn:F0} KiB",34}"));
        }
    }

    private static string Times(
        List<(double P50, double P99)> twins, List<(double P50, double P99)> own, Func<(double P50, double P99), double> quantile)
    {
        double[] ratios = [.. twins.Zip(own, (twin, mine) => quantile(mine) / quantile(twin))];
        string spread = string.Create(
            CultureInfo.InvariantCulture, $"({Statistics.Quantile(ratios, 0.25):F2}-{Statistics.Quantile(ratios, 0.75):F2})");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Statistics.Quantile(twins.Select(quantile), 0.5) / 1000,9:F0} us {Statistics.Quantile(ratios, 0.5),8:F2} {spread,14}");
    }

    private static (double P50, double P99) Quantiles(string program, string kind, int count)
    {
        double[] warm = Lines(program, kind, count + WarmUp)[WarmUp..];
        return (Statistics.Quantile(warm, 0.5), Statistics.Quantile(warm, 0.99));
    }

    private static double[] Lines(string program, string kind, int count, params string[] more)
    {
        using Process process = Process.Start(new ProcessStartInfo(
            program, [kind, count.ToString(CultureInfo.InvariantCulture), .. more])
        { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => double.Parse(line, CultureInfo.InvariantCulture))]
            : throw new InvalidDataException($"{program} ended with status {process.ExitCode}");
    }

    private static WarmMachines Machines(string kind) => new(kind == "bare" ? null : kind);

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
