using System.Text.Json;
using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>
/// Something that a machine can be asked for over its control socket. The whole of it is in one class: the machine's
/// side, the client's, the words for people, and what docs/control.schema.json says. <see cref="ControlVerbs"/> lists them.
/// </summary>
public abstract class ControlVerb
{
    /// <summary>The request's <c>command</c>, and the word after <c>minivmm ctl NAME</c>: lower-case letters.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, as a phrase without a full stop.</summary>
    public abstract string Help { get; }

    /// <summary>In the order of the command line; those that must be given come first.</summary>
    public virtual IReadOnlyList<VerbArgument> Arguments => [];

    /// <summary>Whether the machine may be another one afterwards; otherwise it is only looked at.</summary>
    public abstract bool ChangesMachine { get; }

    public virtual VerbCallers Callers => VerbCallers.MachineUser;

    /// <summary>The object in a good answer, under its own name; null where <c>ok</c> says it all.</summary>
    internal virtual JsonShape? Answer => null;

    /// <summary>Does it, on the control socket's thread, while the guest runs.</summary>
    /// <returns>What writes <see cref="Answer"/>; null where there is none.</returns>
    /// <exception cref="VmmException">This machine cannot; the message is the answer.</exception>
    internal abstract Action<Utf8JsonWriter>? Execute(VerbCall call);

    /// <summary>The client's side: asks, waits for whatever the answer does not wait for, and puts it into words.</summary>
    /// <exception cref="BadInputException">The machine refused it; the message says why.</exception>
    /// <exception cref="HostLimitException">The machine does not answer, or has ended.</exception>
    public virtual VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        JsonElement content = client.Ask(this, arguments);
        return new VerbOutcome { Content = content, Tables = Show(content) };
    }

    /// <summary>An answer's object as tables, for people.</summary>
    private protected virtual IReadOnlyList<AnswerTable> Show(JsonElement content) => [];
}

/// <summary>A request, checked against its verb.</summary>
/// <param name="Machine">Which one is asked.</param>
/// <param name="MachineName">Its <c>--name</c>.</param>
/// <param name="Arguments">Those given.</param>
/// <param name="Host">Where to look at this process.</param>
/// <param name="Clock">The time now.</param>
internal sealed record VerbCall(
    IControlledMachine Machine, string MachineName, VerbArguments Arguments, HostFiles Host, TimeProvider Clock)
{
    /// <summary>Seconds since the guest was started; not below 0 when the clock was set back.</summary>
    public double Uptime =>
        Math.Round(Math.Max(0, (Clock.GetUtcNow() - Machine.Info.StartedAt).TotalSeconds), 3);
}
