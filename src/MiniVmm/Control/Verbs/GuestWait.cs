using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary>How a client waits for a guest that is to do something: as long as it makes progress.</summary>
/// <param name="Step">How long to wait between two looks.</param>
/// <param name="Stall">How long the guest may go without progress.</param>
internal readonly record struct GuestWait(TimeSpan Step, TimeSpan Stall)
{
    /// <summary>Asks again and again until it is done, or the guest makes no progress.</summary>
    /// <param name="client">Asks.</param>
    /// <param name="verb">What shows the state.</param>
    /// <param name="content">The answer so far.</param>
    /// <param name="read">The state in an answer.</param>
    /// <param name="goesOn">Whether there is something to wait for.</param>
    /// <param name="moved">Whether a state is progress after another.</param>
    /// <returns>The last answer and its state.</returns>
    public (JsonElement Content, T State) Until<T>(
        ControlClient client,
        ControlVerb verb,
        JsonElement content,
        Func<JsonElement, T> read,
        Func<T, bool> goesOn,
        Func<T, T, bool> moved)
    {
        T state = read(content);
        long last = Environment.TickCount64;
        while (goesOn(state) && Environment.TickCount64 - last < Stall.TotalMilliseconds)
        {
            _ = client.WaitForEnd(Step);
            content = client.Ask(verb);
            T next = read(content);
            if (moved(state, next))
                last = Environment.TickCount64;
            state = next;
        }

        return (content, state);
    }

    /// <summary>Whether the guest is paused, and so makes no progress.</summary>
    public static bool IsPaused(ControlClient client) => InfoVerb.Look(client).State == MachineState.Paused;
}
