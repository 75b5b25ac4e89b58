using System.Globalization;

namespace MiniVmm.Measurement;

/// <summary>Adds up the rounds of one loop.</summary>
/// <param name="loop">The loop.</param>
/// <param name="nanosecondsPerTick">Of the time stamp counter.</param>
internal sealed class LoopTally(ExitLoop loop, double nanosecondsPerTick)
{
    /// <summary>
    /// Rounds whose medians lie further apart than this, quartile to quartile, say more of the machine than of the exit.
    /// </summary>
    private const double WideSpread = 0.10;

    private readonly Distribution _latency = new(nanosecondsPerTick);
    private readonly Distribution _kvmRun = new(nanosecondsPerTick);
    private readonly Distribution _decode = new(nanosecondsPerTick);
    private readonly Distribution _serve = new(nanosecondsPerTick);
    private readonly Distribution _loop = new(nanosecondsPerTick);
    private readonly Distribution _own = new(nanosecondsPerTick);
    private readonly List<double> _medians = [];
    private Distribution _round = new(nanosecondsPerTick);
    private long _turns;
    private long _userExits;
    private long _allocated;
    private long _expected;
    private long _counted;
    private bool _checked;

    public ExitLoop Loop => loop;

    public string? Missing { get; set; }

    public Distribution Guest { get; } = new(nanosecondsPerTick);

    public void BeginRound() => _round = new(nanosecondsPerTick);

    public void Record(long ticks) => _round.Record(ticks);

    public void RecordSplit(in ExitTimes time, long next)
    {
        _kvmRun.Record(time.Out - time.In);
        _decode.Record(time.Decoded - time.Out);
        _serve.Record(time.Served - time.Decoded);
        _loop.Record(next - time.Served);
        _own.Record(next - time.Out);
    }

    public void RecordGuest(long ticks) => Guest.Record(ticks);

    public void EndRound(int turns)
    {
        _turns += turns;
        if (_round.Count == 0)
            return;
        _latency.Add(_round);
        _medians.Add(_round.Median);
    }

    /// <summary>Notes what the run loop and the kernel counted in one run.</summary>
    public void Count(RunResult run, int turns, bool kernelCounts)
    {
        _userExits += run.Statistics.Total;
        _allocated += run.AllocatedBytes;
        if (loop.Counter is not { } counter)
            return;
        _expected += ((long)turns * counter.EachTurn) + (counter.CountsEnd ? 1 : 0);
        _counted += (long)run.Counted;
        _checked |= kernelCounts;
    }

    public LoopResult Result()
    {
        LoopResult result = new(loop)
        {
            Missing = Missing,
            Latency = _latency,
            Split = _own.Count > 0 ? new(_kvmRun, _decode, _serve, _loop, _own) : null,
            Guest = Guest.Count > 0 && loop.Clock == LoopClock.Host ? Guest : null,
            RoundMedians = _medians,
            Turns = _turns,
            UserExits = _userExits,
            AllocatedBytes = _allocated,
            Check = loop.Counter is { } counter
                ? new KernelCheck(counter.Name, _expected, _checked ? _counted : null)
                : null,
        };
        return result with { Remarks = [.. RemarksOn(result)] };
    }

    private static IEnumerable<string> RemarksOn(LoopResult result)
    {
        if (result.Missing is not null)
        {
            yield return $"not measured: {result.Missing}";
            yield break;
        }

        if (result.Spread > WideSpread)
        {
            string spread = result.Spread.ToString("P0", CultureInfo.InvariantCulture);
            yield return $"the medians of the rounds differ by {spread} from quartile to quartile: "
                + "the machine was not quiet, and the figure means little";
        }

        if (result.AllocatedBytes > 0)
            yield return $"{result.AllocatedBytes} bytes were allocated inside the loop";
        if (result.Check is { Agrees: false } check)
        {
            yield return $"the kernel counted {check.Counted} {check.Counter}, and the loop made {check.Expected}: "
                + "the figures are not of what they say";
        }
    }
}
