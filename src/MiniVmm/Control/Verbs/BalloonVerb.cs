using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>balloon</c>: shows or sets its size.</summary>
internal sealed class BalloonVerb : ControlVerb
{
    private static readonly SizeArgument Size = new("bytes", "SIZE")
    {
        Help = "what the guest gives up, not what it keeps (the opposite of QEMU's monitor); 0 gives everything back",
    };

    private static readonly JsonShape<BalloonState> Shape = new JsonShape<BalloonState>("balloon")
        .Bytes("targetBytes", state => state.TargetBytes, "How much the host wants the balloon to hold.")
        .Bytes("actualBytes", state => state.ActualBytes, "How much the guest has put into it so far.");

    /// <summary>How long to wait between two looks.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    private readonly TimeSpan _stall;

    public BalloonVerb()
        : this(TimeSpan.FromSeconds(5)) // guests free memory in bursts
    {
    }

    /// <param name="stall">How long the guest may go without moving a page before the client stops waiting.</param>
    public BalloonVerb(TimeSpan stall) => _stall = stall;

    public override string Name => "balloon";

    public override string Help => "Show the balloon's size, or set it and wait for the guest to reach it";

    public override IReadOnlyList<VerbArgument> Arguments => [Size];

    public override bool ChangesMachine => true;

    internal override JsonShape Answer => Shape;

    /// <summary>The arguments that ask for a balloon of that size.</summary>
    public static VerbArguments Of(ulong bytes) => new VerbArguments().Set(Size, bytes);

    /// <summary>"96 MiB", or how far it has got: "40 MiB of 96 MiB", "40 MiB, shrinking to 32 MiB".</summary>
    internal static string Describe(BalloonState state)
    {
        string actual = ByteSize.Format(state.ActualBytes);
        string target = ByteSize.Format(state.TargetBytes);
        return state.ActualBytes == state.TargetBytes ? actual
            : state.ActualBytes < state.TargetBytes ? $"{actual} of {target}"
            : $"{actual}, shrinking to {target}";
    }

    internal override Action<Utf8JsonWriter> Execute(VerbCall call)
    {
        IControlledMachine machine = call.Machine;
        if (machine.Balloon is null)
            throw new BadInputException("this machine has no balloon; start it with one");
        if (call.Arguments.TryGet(Size, out ulong bytes))
        {
            if (bytes > machine.Info.MemoryBytes)
            {
                throw new BadInputException(
                    $"bytes: {bytes} is more than the guest's RAM, {ByteSize.Format(machine.Info.MemoryBytes)}");
            }

            machine.SetBalloon(bytes);
        }

        return Shape.Answer(machine.Balloon);
    }

    public override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(arguments);
        JsonElement content = client.Ask(this, arguments);
        BalloonState state = Read(client, content);
        string? shortfall = null;
        if (arguments.Has(Size))
        {
            ulong target = state.TargetBytes; // in whole pages
            bool paused = state.ActualBytes != target && IsPaused(client);
            if (!paused)
                (content, state) = Wait(client, content, state);
            if (state.ActualBytes != target || state.TargetBytes != target)
                shortfall = Shortfall(target, state, paused || IsPaused(client));
        }

        return new VerbOutcome { Content = content, Line = $"balloon: {Describe(state)}", Shortfall = shortfall };
    }

    /// <summary>Waits until the balloon has its size, another client sets a different one, or the guest makes no progress.</summary>
    private (JsonElement Content, BalloonState State) Wait(ControlClient client, JsonElement content, BalloonState state)
    {
        ulong target = state.TargetBytes;
        long moved = Environment.TickCount64;
        while (state.ActualBytes != target
            && state.TargetBytes == target
            && Environment.TickCount64 - moved < _stall.TotalMilliseconds)
        {
            _ = client.WaitForEnd(Step);
            content = client.Ask(this);
            BalloonState next = Read(client, content);
            if (next.ActualBytes != state.ActualBytes)
                moved = Environment.TickCount64;
            state = next;
        }

        return (content, state);
    }

    private static bool IsPaused(ControlClient client) => InfoVerb.Look(client).State == MachineState.Paused;

    private static BalloonState Read(ControlClient client, JsonElement content)
    {
        AnswerObject balloon = new(content);
        return balloon.Size("targetBytes") is { } target && balloon.Size("actualBytes") is { } actual
            ? new BalloonState(target, actual)
            : throw client.BadReply();
    }

    private static string Shortfall(ulong target, BalloonState state, bool paused)
    {
        string actual = ByteSize.Format(state.ActualBytes);
        string wanted = ByteSize.Format(target);
        if (state.TargetBytes != target)
            return $"another client has since set the balloon to {ByteSize.Format(state.TargetBytes)}; it holds {actual} so far";
        if (paused)
            return $"the guest is paused, so its balloon still holds {actual}; it can reach {wanted} only once resumed";
        return state.ActualBytes < target
            ? $"the guest has given up {actual} of {wanted} and gets no further: it needs the rest, or has no balloon driver "
                + "(yet)"
            : $"the guest still has {actual} in its balloon, not {wanted}, and gets no further";
    }
}
