using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary>A size that the guest is to bring something to, and how far it has got.</summary>
internal readonly record struct GuestSize(ulong Target, ulong Actual)
{
    /// <summary>"96 MiB", or how far it has got: "40 MiB of 96 MiB", "40 MiB, shrinking to 32 MiB".</summary>
    public override string ToString()
    {
        string actual = ByteSize.Format(Actual);
        string target = ByteSize.Format(Target);
        return Actual == Target ? actual : Actual < Target ? $"{actual} of {target}" : $"{actual}, shrinking to {target}";
    }
}

/// <summary>A verb that shows a size or sets it; the client waits while the guest makes progress towards it.</summary>
/// <param name="size">The argument that sets it.</param>
/// <param name="stall">How long the guest may go without progress before the client stops waiting.</param>
internal abstract class GuestSizeVerb(SizeArgument size, TimeSpan stall) : ControlVerb
{
    /// <summary>How long to wait between two looks.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    public sealed override IReadOnlyList<VerbArgument> Arguments => [size];

    public sealed override bool ChangesMachine => true;

    public sealed override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(arguments);
        JsonElement content = client.Ask(this, arguments);
        GuestSize state = Read(client, content);
        string? shortfall = null;
        if (arguments.Has(size))
        {
            ulong target = state.Target; // in whole pages or blocks
            bool paused = state.Actual != target && GuestWait.IsPaused(client);
            if (!paused)
                (content, state) = Wait(client, content, target);
            if (state.Actual != target || state.Target != target)
                shortfall = Shortfall(target, state, paused || GuestWait.IsPaused(client));
        }

        return new VerbOutcome { Content = content, Line = $"{Name}: {Describe(content, state)}", Shortfall = shortfall };
    }

    /// <summary>The size in an answer; null where it is no answer of the protocol.</summary>
    private protected virtual GuestSize? Find(AnswerObject content) =>
        content.Size("targetBytes") is { } target && content.Size("actualBytes") is { } actual ? new(target, actual) : null;

    private protected virtual string Describe(JsonElement content, GuestSize state) => state.ToString();

    /// <summary>What the guest has not done.</summary>
    /// <param name="target">What it was asked for.</param>
    /// <param name="state">How far it has got.</param>
    /// <param name="paused">Whether it is paused.</param>
    private protected abstract string Shortfall(ulong target, GuestSize state, bool paused);

    /// <summary>Waits until the guest has come to the size, another client sets a different one, or it makes no progress.</summary>
    private (JsonElement Content, GuestSize State) Wait(ControlClient client, JsonElement content, ulong target) =>
        new GuestWait(Step, stall).Until(
            client,
            this,
            content,
            answer => Read(client, answer),
            state => state.Actual != target && state.Target == target,
            (state, next) => next.Actual != state.Actual);

    private GuestSize Read(ControlClient client, JsonElement content) => Find(new(content)) ?? throw client.BadReply();
}
