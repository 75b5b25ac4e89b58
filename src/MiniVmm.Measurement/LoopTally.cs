using System.Globalization;

namespace MiniVmm.Measurement;

/// <summary>Adds up the rounds of one loop.</summary>
/// <param name="loop">The loop.</param>
/// <param name="nanosecondsPerTick">Of the time stamp counter.</param>
internal sealed class LoopTally(ExitLoop loop, double nanosecondsPerTick)
{
    /// <summary>
    /// Rounds whose medians lie further apart than this, quartile to quartile, say more of the machine than of the
    /// exit.
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
    private long _returns;
    private long _expected;
    private long _allocated;
    private KernelCounts _kernel = new(0, 0, 0, 0);

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

    public void EndRound()
    {
        if (_round.Count == 0)
            return;
        _latency.Add(_round);
        _medians.Add(_round.Median);
    }

    /// <summary>Notes what the run loop and the kernel counted in one run.</summary>
    public void Count(RunResult run, int turns)
    {
        _turns += turns;
        _returns += run.Returns;
        _expected += turns + (loop.Counter is { CountsEnd: true } ? 1 : 0);
        _allocated += run.AllocatedBytes;
        _kernel += run.Kernel;
    }

    public LoopResult Result()
    {
        List<KernelCheck> checks = [];
        if (_turns > 0)
        {
            checks.Add(new(KernelCounter.Returns, _returns, _kernel.Returns));

            // A counter that never moved is not kept: one that is would show at least something.
            if (loop.Counter is { } counter)
                checks.Add(new(counter.Name, _expected, _kernel.Own is 0 ? null : _kernel.Own, counter.AtMost));
        }

        LoopResult result = new(loop)
        {
            Missing = Missing,
            Latency = Missing is null ? _latency : new(nanosecondsPerTick), // a part of it would pass for the whole
            Split = Missing is null && _own.Count > 0 ? new(_kvmRun, _decode, _serve, _loop, _own) : null,
            Guest = Guest.Count > 0 && loop.Clock == LoopClock.Host ? Guest : null,
            RoundMedians = _medians,
            Turns = _turns,
            AllocatedBytes = _allocated,
            Checks = checks,
        };
        return result with { Remarks = [.. RemarksOn(result), .. HaltRemarks()] };
    }

    /// <summary>Two ways of waking a halted vCPU that differ by the time it takes to wake a thread.</summary>
    private IEnumerable<string> HaltRemarks()
    {
        if (loop.Partner == LoopPartner.Interrupter && Missing is null && _turns > 0
            && _kernel is { Polled: { } polled, Slept: { } slept })
        {
            string found = polled.ToString("N0", CultureInfo.InvariantCulture);
            string woken = slept.ToString("N0", CultureInfo.InvariantCulture);
            yield return
                $"KVM was still polling when {found} of the interrupts came (halt_poll_ns), and slept when {woken} did";
        }
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
        foreach (KernelCheck check in result.Checks.Where(check => check.Agrees == false))
        {
            yield return $"the kernel counted {check.Counted} {check.Counter}, and the loop {check.Expected}: "
                + "do not use these figures";
        }
    }
}
