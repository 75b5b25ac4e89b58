namespace MiniVmm.Teaching.Doctor;

/// <summary>What a finding means to whoever wants to run guests.</summary>
internal enum FindingState
{
    /// <summary>As it should be.</summary>
    Good,

    /// <summary>A fact, neither good nor bad.</summary>
    Fact,

    /// <summary>Guests run without it, but not all of them, or not as they should.</summary>
    Lacking,

    /// <summary>Measurements made now tell less than they could.</summary>
    Disturbing,

    /// <summary>No guest can run.</summary>
    Fatal,
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Name">What, in a word or two.</param>
/// <param name="State">What it means.</param>
/// <param name="Text">What was found, a clause without a full stop.</param>
/// <param name="Remedy">What to do about it, for people; null where nothing can or need be done.</param>
/// <param name="Commands">The commands that do it, one after the other.</param>
internal sealed record Finding(string Name, FindingState State, string Text, string? Remedy = null, params IReadOnlyList<string> Commands)
{
    /// <summary>The word for a state, in tables and in JSON.</summary>
    public static string Word(FindingState state) => state switch
    {
        FindingState.Good => "ok",
        FindingState.Fact => "-",
        FindingState.Lacking => "lacking",
        FindingState.Disturbing => "disturbs",
        _ => "FATAL",
    };
}

/// <summary>Findings about the same part of the host.</summary>
internal sealed record FindingGroup(string Title, IReadOnlyList<Finding> Findings);
