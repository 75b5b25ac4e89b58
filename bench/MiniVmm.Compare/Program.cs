using System.Globalization;
using MiniVmm.Measurement;

namespace MiniVmm.Compare;

/// <summary>
/// <c>MiniVmm.Compare ROUNDS KIND[,KIND...]|all NAME PROGRAM [ARGUMENT ...] [-- NAME PROGRAM ...] ...</c>: what exits
/// cost under each program, as a ratio to the first one's. bench/compare-exits calls it.
/// </summary>
internal static class Program
{
    /// <summary>Samples of kinds that come to user space: the ones that the programs themselves serve.</summary>
    private const int ServedSamples = 6_000;

    /// <summary>Samples of the others.</summary>
    private const int KernelSamples = 2_000;

    /// <summary>Ratios that lie further apart than this, quartile to quartile, say more of the machine.</summary>
    private const double WideSpread = 0.10;

    private static int Main(string[] arguments)
    {
        if (arguments.Length < 4 || !int.TryParse(arguments[0], CultureInfo.InvariantCulture, out int rounds) || rounds < 1)
        {
            return Refuse("usage: MiniVmm.Compare ROUNDS KIND[,KIND...]|all NAME PROGRAM [ARGUMENT ...] [-- NAME ...]",
                ExitStatus.BadInput);
        }

        IReadOnlyList<Contestant> contestants = ReadContestants(arguments.AsSpan(2));
        string[] names = arguments[1].Split(',');
        ExitLoop[] loops = [.. ExitLoop.All.Where(loop => arguments[1] == "all" || names.Contains(loop.Name))];
        if (arguments[1] != "all" && names.FirstOrDefault(name => loops.All(loop => loop.Name != name)) is { } unknown)
            return Refuse($"no kind is called '{unknown}'; minivmm bench exits --only help lists them", ExitStatus.BadInput);
        try
        {
            ILookup<bool, string> kinds = loops.ToLookup(loop => loop.Clock == LoopClock.Host, loop => loop.Name);
            List<Comparison> comparisons = [];
            if (kinds[true].Any())
                comparisons.Add(new(contestants, [.. kinds[true]], ServedSamples));
            if (kinds[false].Any())
                comparisons.Add(new(contestants, [.. kinds[false]], KernelSamples));
            comparisons.ForEach(comparison => comparison.WarmUp());
            for (int round = 0; round < rounds; round++)
                comparisons.ForEach(comparison => comparison.Run());
            Print(contestants, comparisons);
            return ExitStatus.Success;
        }
        catch (InvalidDataException failure)
        {
            return Refuse(failure.Message, ExitStatus.HostLimit);
        }
    }

    private static int Refuse(string why, int status)
    {
        Console.Error.WriteLine(why);
        return status;
    }

    private static List<Contestant> ReadContestants(ReadOnlySpan<string> words)
    {
        List<Contestant> contestants = [];
        foreach (Range range in words.Split("--"))
        {
            ReadOnlySpan<string> contestant = words[range];
            contestants.Add(new(contestant[0], contestant[1..].ToArray()));
        }

        return contestants;
    }

    private static void Print(IReadOnlyList<Contestant> contestants, IReadOnlyList<Comparison> comparisons)
    {
        Console.Write($"{"one exit, p50",-22} {contestants[0].Name,9}");
        foreach (Contestant other in contestants.Skip(1))
            Console.Write($"   {other.Name + ": ratio",-26}");
        Console.WriteLine("   in user space, ns");
        Console.Write($"{"",-22} {"median,us",9}");
        foreach (Contestant _ in contestants.Skip(1))
            Console.Write($"   {"lower q.",8} {"median",8} {"upper q.",8}");
        Console.WriteLine("   " + string.Join(" / ", contestants.Select(contestant => contestant.Name)));

        List<string> remarks = [];
        foreach (Comparison comparison in comparisons)
        {
            foreach (string kind in comparison.Measured)
                PrintKind(contestants, comparison, kind, remarks);
        }

        remarks.ForEach(Console.WriteLine);
        foreach (Contestant contestant in contestants)
        {
            foreach ((string complaint, int times) in contestant.Complaints)
                Console.WriteLine($"{contestant.Name} said ({times} times): {complaint}");
        }
    }

    private static void PrintKind(
        IReadOnlyList<Contestant> contestants, Comparison comparison, string kind, List<string> remarks)
    {
        Console.Write(Invariant($"{kind,-22} {Statistics.Quantile(comparison.Medians(kind), 0.5) / 1000,9:F2}"));
        for (int i = 1; i < contestants.Count; i++)
        {
            double[] ratios = [.. comparison.Ratios(i, kind)];
            double lower = Statistics.Quantile(ratios, 0.25);
            double upper = Statistics.Quantile(ratios, 0.75);
            Console.Write(Invariant($"   {lower,8:F3} {Statistics.Quantile(ratios, 0.5),8:F3} {upper,8:F3}"));
            if (Statistics.QuartileSpread(ratios) is var spread and > WideSpread)
            {
                remarks.Add(Invariant($"{kind}: the ratios of {contestants[i].Name} differ by {spread:P0} from quartile to ")
                    + "quartile: they mean little");
            }
        }

        if (comparison.Own(0, kind) is not null)
        {
            Console.Write("   " + string.Join(
                " / ", contestants.Select((_, i) => Invariant($"{comparison.Own(i, kind):F0}"))));
        }

        Console.WriteLine();
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
