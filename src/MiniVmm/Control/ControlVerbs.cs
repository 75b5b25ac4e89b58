using MiniVmm.Control.Verbs;

namespace MiniVmm.Control;

/// <summary>
/// All verbs, in the order in which they are shown. The protocol, its schema, <c>minivmm ctl</c>, its help, completion
/// and manual page take them from here.
/// </summary>
internal static class ControlVerbs
{
    public static IReadOnlyList<ControlVerb> All { get; } =
    [
        new InfoVerb(),
        new StatsVerb(),
        new BalloonVerb(),
        new MemoryVerb(),
        new CpusVerb(),
        new ScreenshotVerb(),
        new TypeVerb(),
        new KeysVerb(),
        new TraceVerb(),
        new StartVerb(),
        new PauseVerb(),
        new ResumeVerb(),
        new PowerdownVerb(),
        new StopVerb(),
        new RestartVerb(),
    ];

    /// <summary>"info, stats, balloon or stop", for error messages.</summary>
    public static string Names(IReadOnlyList<ControlVerb> verbs)
    {
        string[] names = [.. verbs.Select(verb => verb.Name)];
        return names.Length < 2 ? string.Concat(names) : $"{string.Join(", ", names[..^1])} or {names[^1]}";
    }

    /// <summary>The verb of exactly that name; null if there is none.</summary>
    public static ControlVerb? Find(IReadOnlyList<ControlVerb> verbs, string name)
    {
        foreach (ControlVerb verb in verbs)
        {
            if (verb.Name == name)
                return verb;
        }

        return null;
    }
}
