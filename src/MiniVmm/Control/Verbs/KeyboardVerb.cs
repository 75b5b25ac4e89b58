using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary>Types on the guest's keyboard; the client waits until the guest has read it.</summary>
internal abstract class KeyboardVerb : ControlVerb
{
    private const string Waiting = "waitingBytes";

    private static readonly JsonShape<Keyboard> Shape = new JsonShape<Keyboard>("keyboard")
        .Count(Waiting, keyboard => keyboard.Waiting, about: "Scan codes that the guest has not read, in bytes.");

    /// <summary>How long the guest may read nothing before the client stops waiting.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20);

    public sealed override bool ChangesMachine => true;

    internal sealed override JsonShape Answer => Shape;

    /// <summary>Types what the request says; nothing where it says nothing.</summary>
    private protected abstract void Type(VerbCall call);

    /// <summary>What to type, in pieces that a guest which keeps few keys has room for.</summary>
    private protected virtual IEnumerable<VerbArguments> Pieces(VerbArguments arguments) => [arguments];

    /// <summary>Whether there is something to type; else the request only looks.</summary>
    private protected abstract bool HasWords(VerbArguments arguments);

    internal sealed override Action<Utf8JsonWriter> Execute(VerbCall call)
    {
        Type(call);
        return Shape.Answer(new Keyboard(call.Machine.WaitingKeys));
    }

    public sealed override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(arguments);
        if (!HasWords(arguments))
        {
            JsonElement content = client.Ask(this);
            return new VerbOutcome { Content = content, Line = $"{Name}: {Read(client, content)} bytes of scan codes wait" };
        }

        try
        {
            return Press(client, arguments);
        }
        catch (HostLimitException) when (client.HasEnded)
        {
            return new VerbOutcome(); // as by Ctrl-Alt-Del, or by a command that was typed
        }
    }

    private VerbOutcome Press(ControlClient client, VerbArguments arguments)
    {
        JsonElement content = default;
        foreach (VerbArguments piece in Pieces(arguments))
        {
            content = client.Ask(this, piece);
            (content, long waiting) = new GuestWait(Step, Patience).Until(
                client, this, content, answer => Read(client, answer), left => left > 0, (left, next) => next != left);
            if (waiting > 0)
            {
                return new VerbOutcome
                {
                    Content = content,
                    Shortfall = GuestWait.IsPaused(client)
                        ? "the guest is paused, and reads its keyboard only once resumed"
                        : $"the guest does not read its keyboard: {waiting} bytes of scan codes wait",
                };
            }
        }

        return new VerbOutcome { Content = content };
    }

    private static long Read(ControlClient client, JsonElement content) =>
        new AnswerObject(content).Number(Waiting) ?? throw client.BadReply();

    private sealed record Keyboard(long Waiting);
}

/// <summary><c>type</c>: a text, key by key.</summary>
internal sealed class TypeVerb : KeyboardVerb
{
    /// <summary>Letters at a time: a BIOS keeps 15 keys.</summary>
    private const int AtOnce = 8;

    private static readonly TextArgument Text =
        new("text", "TEXT", 1024) { Help = "what to type; \\n is Enter, \\t Tab, \\\\ a backslash" };

    public override string Name => "type";

    public override string Help => "Type a text on the guest's keyboard, which is a US one";

    public override IReadOnlyList<VerbArgument> Arguments => [Text];

    private protected override void Type(VerbCall call)
    {
        if (call.Arguments.TryGet(Text, out string? text))
            call.Machine.Type(text);
    }

    private protected override bool HasWords(VerbArguments arguments) => arguments.Has(Text);

    private protected override IEnumerable<VerbArguments> Pieces(VerbArguments arguments)
    {
        if (!arguments.TryGet(Text, out string? text))
            return [arguments];
        string typed = text.Replace(@"\\", "\0", StringComparison.Ordinal)
            .Replace(@"\n", "\n", StringComparison.Ordinal)
            .Replace(@"\t", "\t", StringComparison.Ordinal)
            .Replace('\0', '\\');
        return typed.Chunk(AtOnce).Select(piece => new VerbArguments().Set(Text, new string(piece)));
    }
}

/// <summary><c>keys</c>: keys by their names, held together.</summary>
internal sealed class KeysVerb : KeyboardVerb
{
    private static readonly TextArgument Keys =
        new("keys", "KEYS", 1024) { Help = "their names, as in ctrl-alt-delete; after a blank the next ones" };

    public override string Name => "keys";

    public override string Help => "Press keys of the guest's keyboard together, by QEMU's names";

    public override IReadOnlyList<VerbArgument> Arguments => [Keys];

    private protected override void Type(VerbCall call)
    {
        if (call.Arguments.TryGet(Keys, out string? keys))
            call.Machine.PressKeys(keys);
    }

    private protected override bool HasWords(VerbArguments arguments) => arguments.Has(Keys);
}
