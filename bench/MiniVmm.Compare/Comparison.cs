using MiniVmm.Measurement;

namespace MiniVmm.Compare;

/// <summary>
/// Runs programs in interleaved rounds, in an order that rotates, so that a drift of the host meets all alike, and
/// compares each with the first one, round by round.
/// </summary>
/// <param name="contestants">The programs; the first is the measure of the others.</param>
/// <param name="kinds">What they measure.</param>
/// <param name="count">Samples of each kind in each run.</param>
internal sealed class Comparison(IReadOnlyList<Contestant> contestants, IReadOnlyList<string> kinds, int count)
{
    private readonly List<Dictionary<string, Reading>[]> _rounds = [];

    /// <summary>Adds a round.</summary>
    /// <exception cref="InvalidDataException">A program failed.</exception>
    public void Run() => _rounds.Add(Measure(_rounds.Count));

    /// <summary>A round that does not count: brings the programs into the page cache.</summary>
    /// <exception cref="InvalidDataException">A program failed.</exception>
    public void WarmUp() => _ = Measure(0);

    /// <summary>The kinds that every program measured in every round.</summary>
    public IEnumerable<string> Measured =>
        kinds.Where(kind => _rounds.All(round => round.All(readings => readings.ContainsKey(kind))));

    /// <summary>The first program's medians of a kind, in nanoseconds.</summary>
    public IEnumerable<double> Medians(string kind) => _rounds.Select(round => round[0][kind].Median);

    /// <summary>A program's median by the first one's of the same round.</summary>
    public IEnumerable<double> Ratios(int contestant, string kind) =>
        _rounds.Select(round => round[contestant][kind].Median / round[0][kind].Median);

    /// <summary>A program's time between KVM_RUN and KVM_RUN, median of the rounds, in nanoseconds.</summary>
    public double? Own(int contestant, string kind) =>
        _rounds[0][contestant][kind].Own is null
            ? null
            : Statistics.Quantile(_rounds.Select(round => round[contestant][kind].Own!.Value), 0.5);

    private Dictionary<string, Reading>[] Measure(int turn)
    {
        var readings = new Dictionary<string, Reading>[contestants.Count];
        for (int i = 0; i < readings.Length; i++)
        {
            int contestant = (turn + i) % readings.Length;
            readings[contestant] = contestants[contestant].Measure(kinds, count);
        }

        return readings;
    }
}
