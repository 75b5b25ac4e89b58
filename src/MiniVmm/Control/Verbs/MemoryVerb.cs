using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>memory</c>: shows or sets how much RAM the guest has.</summary>
internal sealed class MemoryVerb : GuestSizeVerb
{
    private static readonly SizeArgument Size = new("bytes", "SIZE")
    {
        Help = "all of the guest's RAM, what it started with included",
    };

    public MemoryVerb()
        : this(TimeSpan.FromSeconds(8)) // Linux tries again 5 s after it got stuck
    {
    }

    /// <param name="stall">How long the guest may go without a block before the client stops waiting.</param>
    public MemoryVerb(TimeSpan stall)
        : base(Size, stall)
    {
    }

    /// <summary>Also a part of the statistics.</summary>
    internal static JsonShape<MemoryState> Shape { get; } = new JsonShape<MemoryState>("memorySize")
        .Bytes("startBytes", state => state.StartBytes, "What the guest started with, and always has.")
        .Bytes("maxBytes", state => state.MaxBytes, "The most that it can have.")
        .Bytes("targetBytes", state => state.TargetBytes, "How much it is to have.")
        .Bytes("actualBytes", state => state.ActualBytes, "How much it has now, including what the balloon holds.");

    public override string Name => "memory";

    public override string Help => "Show how much RAM the guest has, or plug and unplug some and wait for the guest";

    internal override JsonShape Answer => Shape;

    /// <summary>The arguments that ask for so much RAM.</summary>
    public static VerbArguments Of(ulong bytes) => new VerbArguments().Set(Size, bytes);

    internal override Action<Utf8JsonWriter> Execute(VerbCall call)
    {
        IControlledMachine machine = call.Machine;
        if (machine.Memory is not { } state)
            throw new BadInputException("this machine's memory is fixed; start it with a max, as in 256M,max=1G");

        if (call.Arguments.TryGet(Size, out ulong bytes))
        {
            state.Check(bytes);
            machine.SetMemory(bytes);
        }

        return Shape.Answer(machine.Memory!);
    }

    private protected override string Describe(JsonElement content, GuestSize state)
    {
        AnswerObject answer = new(content);
        return answer.Size("startBytes") is { } least && answer.Size("maxBytes") is { } most
            ? $"{state} (from {ByteSize.Format(least)} to {ByteSize.Format(most)})"
            : state.ToString();
    }

    private protected override string Shortfall(ulong target, GuestSize state, bool paused)
    {
        string actual = ByteSize.Format(state.Actual);
        string wanted = ByteSize.Format(target);
        if (state.Target != target)
            return $"another client has since asked for {ByteSize.Format(state.Target)}; the guest has {actual} so far";
        if (paused)
            return $"the guest is paused, so it still has {actual}; it can reach {wanted} only once resumed";
        return state.Actual < target
            ? $"the guest has {actual} of {wanted} and takes no more: it has no virtio-mem driver (yet), the host refuses more, or "
                + "too much of what it has is offline"
            : $"the guest still has {actual}, not {wanted}, and unplugs no more: it uses the rest for what cannot be moved";
    }
}
