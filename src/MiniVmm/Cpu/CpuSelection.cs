namespace MiniVmm.Cpu;

/// <summary>A CPU model, with features added and removed.</summary>
/// <param name="Text">As it was typed, for messages.</param>
/// <param name="Model">The model, with what the text says of its family, level and so on.</param>
/// <param name="Changes">Features switched on or off; each once.</param>
public sealed record CpuSelection(string Text, CpuModel Model, IReadOnlyList<(CpuFeature Feature, bool On)> Changes)
{
    /// <summary>Everything the host's KVM supports, what a guest gets when nothing is asked for.</summary>
    public static CpuSelection Host { get; } = new("host", CpuModel.Host, []);

    /// <summary>What is asked for beside features.</summary>
    public CpuProperties Properties { get; init; } = CpuProperties.Default;

    /// <summary>Whether the guest has performance counters.</summary>
    internal bool HasPmu => Properties.Pmu ?? Model.IsHost;
}
