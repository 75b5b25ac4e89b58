namespace MiniVmm.Control.Verbs;

/// <summary>The client's wait for what a verb has begun.</summary>
internal static class StateWait
{
    /// <summary>How long a machine may stay as it is; what its host sees the end of, a start or a stop, may take longer.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>How soon to look again.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    /// <summary>How a wait ended.</summary>
    public enum End
    {
        Reached,

        /// <summary>The machine's process has ended.</summary>
        Gone,
        TooLong,
    }

    /// <summary>Looks at the machine again and again until it is as wanted.</summary>
    /// <exception cref="BadInputException">The machine refused to be looked at.</exception>
    public static End Until(ControlClient client, Func<MachineLook, bool> wanted)
    {
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (!client.WaitForEnd(Step))
        {
            MachineLook look;
            try
            {
                look = InfoVerb.Look(client);
            }
            catch (HostLimitException)
            {
                // A process that ends closes its socket first.
                return client.WaitForEnd(Patience) ? End.Gone : End.TooLong;
            }

            if (wanted(look))
                return End.Reached;
            if (look.State is MachineState.Starting or MachineState.Stopping)
                end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
            else if (Environment.TickCount64 > end)
                return End.TooLong;
        }

        return End.Gone;
    }

    /// <summary>What a start has not done; null if nothing.</summary>
    /// <param name="end">How the wait for it ended.</param>
    /// <param name="seen">The state that was seen last.</param>
    /// <param name="done">What was asked for, as in "started".</param>
    public static string? Shortfall(End end, MachineState? seen, string done) => (end, seen) switch
    {
        (End.Gone, _) => "its host has ended",
        (End.TooLong, _) => $"the machine was told to be {done}, and has not been in {Patience.TotalSeconds} s; the log of its host "
            + "says why",
        (_, MachineState.Failed) => "the machine has failed; the log of its host says why",
        _ => null,
    };
}

/// <summary>A machine as its <c>info</c> shows it; what an older one does not say is null.</summary>
internal readonly record struct MachineLook(MachineState? State, long? Restarts);
