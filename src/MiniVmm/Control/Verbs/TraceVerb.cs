using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>trace</c>: begins a trace of the machine, ends it, or says how far it is.</summary>
internal sealed class TraceVerb : ControlVerb
{
    private const string Off = "stop";

    private static readonly JsonShape<TraceState> Shape = new JsonShape<TraceState>("trace")
        .Flag("on", state => state.IsOn, "Whether a trace is being made.")
        .Text("what", state => state.What, "What is traced, or was; empty if nothing ever was.")
        .Count("events", state => state.Events, about: "Events that the trace has.")
        .Count("lost", state => state.Lost, about: "Events that came faster than they could be written, and are not in it.")
        .Text("failure", state => state.Failure, "Why it ended early; empty if it did not.");

    private static readonly TextArgument What = new("what", "WHAT", 1024)
    {
        Help = "what to trace, as 'minivmm run' has it (exits, io, all, ...), or stop",
    };

    private static readonly TextArgument File = new("file", "FILE", 4096)
    {
        Help = "where to, on the machine's host; without, lines on its standard error, or in the log of 'minivmm serve'",
    };

    public override string Name => "trace";

    public override string Help => "Begin a trace, end it, or show how far it is";

    public override IReadOnlyList<VerbArgument> Arguments => [What, File];

    public override bool ChangesMachine => true;

    internal override JsonShape Answer => Shape;

    internal override Action<Utf8JsonWriter> Execute(VerbCall call)
    {
        _ = call.Arguments.TryGet(File, out string? file);
        if (call.Arguments.TryGet(What, out string? what))
        {
            if (what == Off)
                call.Machine.StopTrace();
            else
                call.Machine.StartTrace(what, file);
        }

        return Shape.Answer(call.Machine.Trace);
    }

    public override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(arguments);
        if (arguments.TryGet(File, out string? file))
            arguments.Set(File, Path.GetFullPath(file)); // the machine's folder may be another
        JsonElement content = client.Ask(this, arguments);
        AnswerObject answer = new(content);
        if (answer.Text("what") is not { } what || answer.Number("events") is not { } events || answer.Number("lost") is not { } lost)
            throw client.BadReply();
        bool on = content.TryGetProperty("on", out JsonElement flag) && flag.ValueKind == JsonValueKind.True;
        return new VerbOutcome
        {
            Content = content,
            Line = what.Length == 0 ? "trace: off" : string.Create(
                CultureInfo.InvariantCulture, $"trace: {(on ? "on" : "off")}, {what}: {events} events{(lost > 0 ? $", {lost} lost" : "")}"),
            Shortfall = answer.Text("failure") is { Length: > 0 } failure ? $"the trace ends early: {failure}" : null,
        };
    }
}
