namespace MiniVmm.Measurement;

/// <summary>How loops are to be measured.</summary>
public sealed record MeasurementSettings
{
    // hlt-irqfd and kick wait for their partner at every turn, and get a share of the samples.
    private const int PartnerShare = 10;

    /// <summary>The loops, in any order.</summary>
    public required IReadOnlyList<ExitLoop> Loops { get; init; }

    /// <summary>Samples of each, over all rounds; of those that wait for a partner a tenth, rounded up.</summary>
    public int Count { get; init; } = 20_000;

    /// <summary>Turns before the samples of each run, not counted.</summary>
    public int Warmup { get; init; } = 200;

    /// <summary>Rounds; in each, every loop has its turn.</summary>
    public int Rounds { get; init; } = 10;

    /// <summary>Decides in which order the loops of a round come.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Host CPU of the vCPU and of its partner; empty for the scheduler's choice.</summary>
    public IReadOnlyList<int> Pin { get; init; } = [];

    /// <summary>What disturbs the measurement on purpose.</summary>
    public Disturbance Disturbance { get; init; }

    /// <summary>Samples of a loop in one round: over all rounds, exactly as many as were asked for.</summary>
    internal int Samples(ExitLoop loop, int round)
    {
        int all = Share(loop, Count);
        return (all / Rounds) + (round < all % Rounds ? 1 : 0);
    }

    /// <summary>Turns that make the samples of a round, or more.</summary>
    internal int SampleTurns(ExitLoop loop, int round) => DivideUp(Samples(loop, round), loop.MostExits);

    /// <summary>Turns before them.</summary>
    internal int WarmupTurns(ExitLoop loop) => DivideUp(Share(loop, Warmup), loop.MostExits);

    private static int Share(ExitLoop loop, int samples) =>
        loop.Partner is LoopPartner.Interrupter or LoopPartner.Kicker ? DivideUp(samples, PartnerShare) : samples;

    private static int DivideUp(int number, int divisor) => (number + divisor - 1) / divisor;
}

/// <summary>What disturbs a measurement on purpose, to show what it does.</summary>
public enum Disturbance
{
    None,

    /// <summary>A thread that allocates as fast as it can, so that the garbage collector runs.</summary>
    Gc,

    /// <summary>A thread that spins on the vCPU's own host CPU.</summary>
    Neighbour,
}

/// <summary>Where the time of a turn goes, as the host sees it.</summary>
/// <param name="KvmRun">In KVM_RUN: kernel and guest.</param>
/// <param name="Decode">In the exit decoder.</param>
/// <param name="Serve">On the bus and in the device.</param>
/// <param name="Loop">From the device back to KVM_RUN.</param>
/// <param name="Own">Decode, serve and loop together: MiniVmm's share.</param>
public sealed record ExitSplit(
    Distribution KvmRun, Distribution Decode, Distribution Serve, Distribution Loop, Distribution Own);

/// <summary>The kernel's count beside the loop's.</summary>
/// <param name="Counter">What the kernel counts.</param>
/// <param name="Expected">How far the loops should have moved it.</param>
/// <param name="Counted">How far it moved; null where this KVM does not keep it.</param>
/// <param name="AtMost">Whether less than expected is right, too.</param>
public sealed record KernelCheck(string Counter, long Expected, long? Counted, bool AtMost = false)
{
    /// <summary>Null where nothing could be checked.</summary>
    public bool? Agrees =>
        Counted is { } counted ? counted == Expected || (AtMost && counted < Expected) : null;
}

/// <summary>What was measured of one loop.</summary>
/// <param name="Loop">The loop.</param>
public sealed record LoopResult(ExitLoop Loop)
{
    /// <summary>Why it was not measured; null if it was.</summary>
    public string? Missing { get; init; }

    /// <summary>The distribution, by the loop's own clock.</summary>
    public required Distribution Latency { get; init; }

    /// <summary>Where a turn's time goes; null where no turn leaves to user space.</summary>
    public ExitSplit? Split { get; init; }

    /// <summary>The guest's own clock around the body; null where there is no timed form.</summary>
    public Distribution? Guest { get; init; }

    /// <summary>The median of each round, in nanoseconds.</summary>
    public IReadOnlyList<double> RoundMedians { get; init; } = [];

    /// <summary>Turns in all runs, warm-up included.</summary>
    public long Turns { get; init; }

    /// <summary>The kernel's counts beside the loop's own: returns from KVM_RUN first.</summary>
    public IReadOnlyList<KernelCheck> Checks { get; init; } = [];

    /// <summary>On the vCPU's thread inside the loops; 0 is the contract.</summary>
    public long AllocatedBytes { get; init; }

    /// <summary>
    /// Distance of the upper from the lower quartile of the rounds' medians, as a share of their median: how far the
    /// figure moves from one round to the next.
    /// </summary>
    public double Spread => Statistics.QuartileSpread(RoundMedians);

    /// <summary>What a reader has to know before the figures are used, in sentences.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];
}

/// <summary>A whole measurement.</summary>
public sealed record ExitReport
{
    public required MeasurementSettings Settings { get; init; }

    public required EnvironmentStamp Environment { get; init; }

    /// <summary>Frequency of the time stamp counter.</summary>
    public required double TscHertz { get; init; }

    /// <summary>
    /// One supervisor instruction of the guest, in nanoseconds, which shows the kind of KVM; null if not even an empty
    /// loop ran.
    /// </summary>
    public required double? GuestInstruction { get; init; }

    /// <summary>Whether the guest's supervisor code runs on the processor; else KVM emulates it.</summary>
    public bool RunsOnHardware => GuestInstruction is < 50;

    /// <summary>The smallest difference between two readings of the time stamp counter, in nanoseconds.</summary>
    public double TscStep { get; init; }

    /// <summary>The host's clock readings of one exit, without an exit.</summary>
    public required Distribution HostHarness { get; init; }

    /// <summary>The guest's two clock readings, with nothing between them.</summary>
    public required Distribution GuestHarness { get; init; }

    public required IReadOnlyList<LoopResult> Loops { get; init; }

    /// <summary>Why the kernel's counts could not be read; null if they were.</summary>
    public string? NoStatistics { get; init; }

    /// <summary>Everything that a reader needs to know of host and method, a fact a row.</summary>
    public IEnumerable<(string Name, string Value)> Conditions()
    {
        foreach ((string, string) row in Environment.Rows())
            yield return row;
        string instruction = Invariant($"{GuestInstruction:F2} ns an instruction");
        yield return ("kind of KVM", GuestInstruction is null ? "unknown: not even an empty loop ran"
            : RunsOnHardware ? $"the guest's supervisor code runs on the processor ({instruction})"
            : $"the guest's supervisor code is emulated ({instruction}): times in the guest are the emulator's");
        yield return ("pinning", Settings.Pin.Count switch
        {
            0 => "none: threads move as the scheduler likes",
            1 => $"vCPU on host CPU {Settings.Pin[0]}, its partner anywhere",
            _ => $"vCPU on host CPU {Settings.Pin[0]}, its partner on {Settings.Pin[1]}",
        });
        yield return ("TSC frequency", Invariant($"{TscHertz / 1e6:F2} MHz, read in steps of {TscStep:F1} ns"));
        if (Settings.Loops.Any(loop => loop.Clock == LoopClock.Partner))
        {
            yield return ("partner acts", Invariant(
                $"{ExitMeasurement.PartnerDelay.TotalMicroseconds} µs after the vCPU went in"));
        }

        string samples = Invariant($"{Settings.Count:N0} samples a kind in {Settings.Rounds} rounds");
        yield return ("method", samples
            + Invariant($", each after {Settings.Warmup} turns of warm-up; order by seed {Settings.Seed}"));
        if (Settings.Disturbance != Disturbance.None)
        {
            yield return ("disturbed by", Settings.Disturbance == Disturbance.Gc
                ? "a thread that fills MiniVmm's heap with garbage"
                : "a thread that spins on the vCPU's own host CPU");
        }
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
