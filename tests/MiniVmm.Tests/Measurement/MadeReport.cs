using MiniVmm.Measurement;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Measurement;

/// <summary>A measurement made by hand, with one kind of everything that may come.</summary>
internal static class MadeReport
{
    /// <summary>A clock tick's length, in nanoseconds.</summary>
    public const double Tick = 0.5;

    /// <summary>What would spoil a page if it came through as it is.</summary>
    public const string Hostile = "a <b> & \"c\" > 'd' ]]> <script>alert(1)</script> \u0001\ud800";

    /// <summary>Latencies of about 1 µs to 1 ms, with a split, checks that agree and one that is not kept.</summary>
    public static LoopResult Split { get; } = new(Kind("pio-out"))
    {
        Latency = Ticks(Spread(2_000)),
        Split = new(Ticks(Spread(1_800)), Ticks(40, 41, 42), Ticks(60), Ticks(20, 21), Ticks(120)),
        Guest = Ticks(Spread(1_900)),
        RoundMedians = [1000.25, 1010.5, 990.125],
        Turns = 44_000,
        Checks = [new("fpu_reload", 44_020, 44_020), new("io_exits", 44_020, null)],
    };

    /// <summary>Ten times as long, with what makes a figure useless.</summary>
    public static LoopResult Doubtful { get; } = new(Kind("hlt-irqfd"))
    {
        Latency = Ticks(Spread(20_000)),
        RoundMedians = [10_000, 13_000],
        Turns = 2_200,
        AllocatedBytes = 1_234,
        Checks = [new("fpu_reload", 2_210, 2_209), new("halt_exits", 2_200, 2_200)],
        Remarks = [Hostile, "1234 bytes were allocated inside the loop"],
    };

    public static LoopResult Missing { get; } = new(Kind("ipi"))
    {
        Latency = Ticks(),
        Missing = Hostile,
        Remarks = ["not measured: " + Hostile],
    };

    /// <summary>No sample, and no split worth the name.</summary>
    public static LoopResult Empty { get; } = new(Kind("mmio-read"))
    {
        Latency = Ticks(),
        Split = new(Ticks(), Ticks(), Ticks(), Ticks(), Ticks()),
    };

    public static LoopResult Single { get; } = new(Kind("cpuid"))
    {
        Latency = Ticks(3_000),
        RoundMedians = [1500],
        Turns = 1,
        Checks = [new("fpu_reload", 1, 1)],
    };

    /// <summary>From no time at all, which a logarithmic axis does not have, to the longest that is kept.</summary>
    public static LoopResult Extreme { get; } = new(new("odd <&> \"kind\"", Hostile, LoopClock.Call))
    {
        Latency = Ticks(0, 0, 1, 1L << 42),
        Split = new(Ticks(0), Ticks(0), Ticks(0), Ticks(0), Ticks(0)),
        RoundMedians = [0, 0],
    };

    public static IReadOnlyList<LoopResult> All => [Split, Doubtful, Missing, Empty, Single, Extreme];

    public static ExitReport Of(params IReadOnlyList<LoopResult> loops)
    {
        using HostTree host = HostTree.Intel;
        return new()
        {
            Settings = new() { Loops = [.. loops.Select(result => result.Loop)], Pin = [1, 0] },
            Environment = EnvironmentStamp.Read(host.Files, [2, 3], new ManualTime(new DateTime(2026, 3, 4, 5, 6, 7))),
            TscHertz = 1e9 / Tick,
            GuestInstruction = 0.75,
            HostHarness = Ticks(140, 150, 160),
            GuestHarness = Ticks(),
            Loops = loops,
        };
    }

    private static Distribution Ticks(params IEnumerable<long> ticks)
    {
        Distribution distribution = new(Tick);
        foreach (long tick in ticks)
            distribution.Record(tick);
        return distribution;
    }

    // 1234 durations that thin out towards long ones, as latencies do.
    private static IEnumerable<long> Spread(long shortest) =>
        Enumerable.Range(1, 1234).Select(i => shortest + (shortest * i / (1235 - i)));

    private static ExitLoop Kind(string name) => ExitLoop.All.Single(loop => loop.Name == name);
}
