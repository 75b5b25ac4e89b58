using MiniVmm.Machine;

namespace MiniVmm.Testing;

/// <summary>A test: a machine, and what it is to do.</summary>
internal sealed record TestCase
{
    /// <summary>How long a test may run if nobody says so.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Which it is among all: the image's path as it was given or found, or the manifest's folder and the test's name.</summary>
    public required string Name { get; init; }

    /// <summary>The machine; its kernel is the image.</summary>
    public MachineOptions Machine { get; init; } = new();

    public Expectation Expected { get; init; } = new();

    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    /// <summary>Why it is not to run; null if it is.</summary>
    public string? SkipReason { get; init; }

    /// <summary>Why it cannot run: there is no such image; null if it can.</summary>
    public string? Problem { get; init; }
}

/// <summary>What came of a test.</summary>
/// <param name="Name">The test's.</param>
/// <param name="Verdict">What.</param>
/// <param name="Reason">Why, in one line.</param>
internal sealed record TestResult(string Name, Verdict Verdict, string Reason)
{
    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>What the guest printed.</summary>
    public string Output { get; init; } = "";

    /// <summary>What MiniVmm has to say of the end.</summary>
    public string Report { get; init; } = "";
}
