namespace MiniVmm.Control;

/// <summary>What a machine is doing. One of <c>minivmm run</c> only runs, or is paused.</summary>
public enum MachineState
{
    /// <summary>Not started yet, powered off, or stopped on request.</summary>
    Stopped,

    /// <summary>Being built.</summary>
    Starting,
    Running,
    Paused,

    /// <summary>Asked to shut down.</summary>
    Stopping,

    /// <summary>Ended, and waits for its next start.</summary>
    Restarting,

    /// <summary>Ended by a failure, or could not be started, and is not started again.</summary>
    Failed,
}

/// <summary>The states' words, for people, protocols and metrics.</summary>
internal static class MachineStates
{
    /// <summary>All of them, by value.</summary>
    public static readonly string[] Words = ["stopped", "starting", "running", "paused", "stopping", "restarting", "failed"];

    public static string Word(this MachineState state) => Words[(int)state];

    /// <summary>The state of that word; null for another one.</summary>
    public static MachineState? Parse(string word) =>
        Array.IndexOf(Words, word) is >= 0 and int index ? (MachineState)index : null;
}
