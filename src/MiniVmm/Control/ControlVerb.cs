using System.Text.Json;
using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>
/// A request that a machine understands on its control socket. One class holds all of it: the machine's side, the client's
/// side, the text for people, and the JSON schema. <see cref="ControlVerbs"/> lists them.
/// </summary>
internal abstract class ControlVerb
{
    /// <summary>The request's <c>command</c>, and the word after <c>minivmm ctl NAME</c>: lower-case letters.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, as a phrase without a full stop.</summary>
    public abstract string Help { get; }

    /// <summary>In the order of the command line, required ones first.</summary>
    public virtual IReadOnlyList<VerbArgument> Arguments => [];

    /// <summary>Those that are members of the request.</summary>
    public IEnumerable<VerbArgument> Members => Arguments.Where(argument => !argument.IsLocal);

    /// <summary>Whether it may change the machine; otherwise it only looks.</summary>
    public abstract bool ChangesMachine { get; }

    public virtual VerbCallers Callers => VerbCallers.MachineUser;

    /// <summary>The object in a successful answer, under its own name; null if <c>ok</c> says it all.</summary>
    internal virtual JsonShape? Answer => null;

    /// <summary>The most bytes of an answer that a client takes in.</summary>
    internal virtual int LongestAnswer => 1 << 20;

    /// <summary>Carries it out, on the control socket's thread, while the guest runs.</summary>
    /// <returns>Writes <see cref="Answer"/>; null if there is none.</returns>
    /// <exception cref="VmmException">This machine cannot do it; the message is the answer.</exception>
    internal abstract Action<Utf8JsonWriter>? Execute(VerbCall call);

    /// <summary>The client's side: asks, waits for what the answer itself does not wait for, and puts it into words.</summary>
    /// <exception cref="BadInputException">The machine refused the request; the message says why.</exception>
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

/// <summary>A request that has been checked against its verb.</summary>
/// <param name="Machine">The machine that is asked.</param>
/// <param name="MachineName">Its <c>--name</c>.</param>
/// <param name="Arguments">The arguments given.</param>
/// <param name="Host">Gives this process's figures.</param>
/// <param name="Clock">Gives the time.</param>
internal sealed record VerbCall(
    IControlledMachine Machine, string MachineName, VerbArguments Arguments, HostFiles Host, TimeProvider Clock)
{
    /// <summary>Seconds since the guest was started; never below 0, even if the clock has been set back. Null while it does not run.</summary>
    public double? Uptime => Machine.Info.StartedAt is { } at
        ? Math.Round(Math.Max(0, (Clock.GetUtcNow() - at).TotalSeconds), 3)
        : null;

    /// <summary>Who can start the machine again.</summary>
    /// <exception cref="BadInputException">Nobody: it is a process of its own.</exception>
    public IMachineHost MachineHost => Machine.Host ?? throw new BadInputException(
        "it was started by 'minivmm run'; only machines of 'minivmm serve' can be started again");
}
