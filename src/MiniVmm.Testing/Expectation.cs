namespace MiniVmm.Testing;

/// <summary>What a test is to do.</summary>
internal sealed record Expectation
{
    /// <summary>Most characters of a text that is looked for.</summary>
    public const int LongestText = 500;

    /// <summary>Texts that it prints, each within a line, in this order; a line may hold several.</summary>
    public IReadOnlyList<string> Texts { get; init; } = [];

    /// <summary>
    /// The exit status that <c>minivmm run</c> would have: 0 for power-off or reboot, (v &lt;&lt; 1) | 1 for a debug exit
    /// of v, 6 for a crash; null for a power-off or a debug exit of 0.
    /// </summary>
    public int? Exit { get; init; }

    /// <summary>The machine is ended as soon as this is printed, as the end that was wanted; null for none.</summary>
    public string? Until { get; init; }

    /// <summary>Lines with one of these are no failures, whatever else they say.</summary>
    public IReadOnlyList<string> Allowed { get; init; } = [];

    /// <summary>Whether it may skip itself.</summary>
    public bool MaySkip { get; init; }

    /// <summary>Why it is known to fail; null if it is to pass.</summary>
    public string? KnownFailure { get; init; }
}
