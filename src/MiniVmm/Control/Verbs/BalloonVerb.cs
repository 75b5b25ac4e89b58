using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>balloon</c>: shows or sets its size.</summary>
internal sealed class BalloonVerb : GuestSizeVerb
{
    private static readonly SizeArgument Size = new("bytes", "SIZE")
    {
        Help = "what the guest gives up, not what it keeps (the opposite of QEMU's monitor); 0 gives everything back",
    };

    private static readonly JsonShape<BalloonState> Shape = new JsonShape<BalloonState>("balloon")
        .Bytes("targetBytes", state => state.TargetBytes, "How much the host wants the balloon to hold.")
        .Bytes("actualBytes", state => state.ActualBytes, "How much the guest has put into it so far.");

    public BalloonVerb()
        : this(TimeSpan.FromSeconds(5)) // guests free memory in bursts
    {
    }

    /// <param name="stall">How long the guest may go without moving a page before the client stops waiting.</param>
    public BalloonVerb(TimeSpan stall)
        : base(Size, stall)
    {
    }

    public override string Name => "balloon";

    public override string Help => "Show the balloon's size, or set it and wait for the guest to reach it";

    internal override JsonShape Answer => Shape;

    /// <summary>The arguments that ask for a balloon of that size.</summary>
    public static VerbArguments Of(ulong bytes) => new VerbArguments().Set(Size, bytes);

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

    private protected override string Shortfall(ulong target, GuestSize state, bool paused)
    {
        string actual = ByteSize.Format(state.Actual);
        string wanted = ByteSize.Format(target);
        if (state.Target != target)
            return $"another client has since set the balloon to {ByteSize.Format(state.Target)}; it holds {actual} so far";
        if (paused)
            return $"the guest is paused, so its balloon still holds {actual}; it can reach {wanted} only once resumed";
        return state.Actual < target
            ? $"the guest has given up {actual} of {wanted} and gets no further: it needs the rest, or has no balloon driver "
                + "(yet)"
            : $"the guest still has {actual} in its balloon, not {wanted}, and gets no further";
    }
}
