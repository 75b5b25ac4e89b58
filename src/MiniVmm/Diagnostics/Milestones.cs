using System.Diagnostics;

namespace MiniVmm.Diagnostics;

/// <summary>When each step of a start was done, counted from the first instruction of <c>Main</c>.</summary>
internal sealed class Milestones
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly List<(string Name, TimeSpan At)> _steps = [];

    /// <summary>The steps in the order they were reached.</summary>
    public IReadOnlyList<(string Name, TimeSpan At)> Steps => _steps;

    /// <summary>Notes that a step is done now.</summary>
    public void Reach(string name) => Reach(name, Stopwatch.GetTimestamp());

    /// <summary>Notes a step that was done at a <see cref="Stopwatch"/> timestamp.</summary>
    public void Reach(string name, long timestamp) => _steps.Add((name, Stopwatch.GetElapsedTime(_start, timestamp)));
}
