using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>cpus</c>: shows or sets how many vCPUs the machine has.</summary>
internal sealed class CpusVerb : ControlVerb
{
    private const int Limit = 4096; // of any machine

    private static readonly NumberArgument Number = new("count", "N", 1, Limit)
    {
        Help = "from 1 to the machine's maxcpus; the first N vCPUs, so that the last ones go first",
    };

    private static readonly string[] Requests = ["insert", "eject"];

    private static readonly JsonShape<CpuRefusal> RefusalShape = new JsonShape<CpuRefusal>()
        .Count("vcpu", refusal => refusal.Vcpu, about: "By index.")
        .Word("request", Requests, refusal => refusal.Insertion ? "insert" : "eject", "What the guest was asked to do.")
        .Count("status", refusal => refusal.Status, about: "The guest's reason, of _OST (ACPI 6.5, section 6.3.5).");

    private static readonly JsonShape<CpusState> Shape = new JsonShape<CpusState>("cpus")
        .Count("wanted", state => state.Wanted, minimum: 1, about: "How many were asked for last, or at the start.")
        .Count("present", state => state.Present, minimum: 1, about: "How many are in the machine.")
        .Count("most", state => state.Most, minimum: 1, about: "How many there can be.")
        .Count("pending", state => state.Pending, about: "About how many the guest has not answered yet.")
        .Count("leaving", state => state.Leaving, about: "How many are out, while the guest is not done with that yet.")
        .List("refusals", RefusalShape, state => state.Refusals, about: "What the guest has refused of what was asked for last.");

    /// <summary>How long to wait between two looks.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);

    private readonly TimeSpan _silence;

    public CpusVerb()
        : this(TimeSpan.FromSeconds(5)) // a guest under load may be slow to stop a processor
    {
    }

    /// <param name="silence">How long the guest may say nothing before the client stops waiting.</param>
    public CpusVerb(TimeSpan silence) => _silence = silence;

    public override string Name => "cpus";

    public override string Help => "Show how many vCPUs the machine has, or set it and wait for the guest";

    public override IReadOnlyList<VerbArgument> Arguments => [Number];

    public override bool ChangesMachine => true;

    internal override JsonShape Answer => Shape;

    /// <summary>The arguments that ask for so many.</summary>
    public static VerbArguments Of(int count) => new VerbArguments().Set(Number, count);

    internal override Action<Utf8JsonWriter> Execute(VerbCall call) => Shape.Answer(
        call.Arguments.TryGet(Number, out long count) ? call.Machine.SetCpus((int)count) : call.Machine.Cpus);

    public override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(arguments);
        JsonElement content = client.Ask(this, arguments);
        CpusState state = Read(client, content);
        string? shortfall = null;
        if (arguments.TryGet(Number, out long count))
        {
            bool paused = !state.IsSettled && GuestWait.IsPaused(client);
            if (!paused)
                (content, state) = Wait(client, content, state.Wanted);
            if (!state.IsDone || state.Wanted != count)
                shortfall = Shortfall((int)count, state, paused || GuestWait.IsPaused(client));
        }

        string line = state.Present == state.Most ? $"cpus: {state.Present}" : $"cpus: {state.Present} of at most {state.Most}";
        return new VerbOutcome { Content = content, Line = line, Shortfall = shortfall };
    }

    /// <summary>Waits until the guest has answered, another client wants another number, or the guest says nothing.</summary>
    private (JsonElement Content, CpusState State) Wait(ControlClient client, JsonElement content, int wanted) =>
        new GuestWait(Step, _silence).Until(
            client,
            this,
            content,
            answer => Read(client, answer),
            state => !state.IsSettled && state.Wanted == wanted,
            (state, next) => (next.Present, next.Pending, next.Leaving) != (state.Present, state.Pending, state.Leaving));

    private static CpusState Read(ControlClient client, JsonElement content)
    {
        AnswerObject cpus = new(content);
        List<CpuRefusal> refusals = [];
        foreach (AnswerObject refusal in cpus.Objects("refusals"))
        {
            refusals.Add(new(
                Count(refusal, "vcpu"), refusal.Text("request") == Requests[0], (uint)(refusal.Size("status") ?? uint.MaxValue)));
        }

        return new(
            Count(cpus, "wanted"), Count(cpus, "present"), Count(cpus, "most"), Count(cpus, "pending"), Count(cpus, "leaving"), refusals);

        int Count(AnswerObject from, string name) =>
            from.Number(name) is >= 0 and <= Limit and { } number ? (int)number : throw client.BadReply();
    }

    private static string Shortfall(int count, CpusState state, bool paused)
    {
        if (state.Wanted != count)
            return $"another client has since asked for {state.Wanted}; the machine has {state.Present}";
        if (state.Refusals is [{ } refusal, ..])
        {
            string what = refusal.Insertion ? "does not take" : "does not give up";
            return $"the guest {what} vCPU {refusal.Vcpu}: {Reason(refusal)}";
        }

        if (paused)
            return $"the guest is paused, and can answer only once resumed; the machine has {state.Present}";
        return state.IsSettled
            ? $"the guest gave one up by itself meanwhile; the machine has {state.Present}; ask again"
            : $"the guest has not answered about {state.Pending} vCPU{(state.Pending == 1 ? "" : "s")} in time: it has no driver for "
                + "ACPI's Generic Event Device, has not loaded it yet, or is busy; it may still do it";
    }

    /// <summary>A status of _OST in words.</summary>
    internal static string Reason(CpuRefusal refusal) => (refusal.Insertion, refusal.Status) switch
    {
        (true, 1) => "it failed, or the guest had found it by itself (_OST 1)",
        (false, 1) => "it failed (_OST 1)",
        (_, 2) => "it does not know such a request (_OST 2)",
        (true, 0x81) => "its driver failed (_OST 0x81)",
        (true, 0x82) or (false, 0x80) => $"it does not support that (_OST 0x{refusal.Status:x})",
        (false, 0x81) => "a program uses it (_OST 0x81)",
        (false, 0x82) => "it is busy (_OST 0x82)",
        (false, 0x83) => "something that depends on it is busy (_OST 0x83)",
        _ => $"_OST 0x{refusal.Status:x}",
    };
}
