using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>info</c>: shows which machine it is.</summary>
internal sealed class InfoVerb : ControlVerb
{
    private const string State = "state";
    private const string Restarts = "restarts";

    private static readonly JsonShape<VerbCall> Shape = new JsonShape<VerbCall>("info")
        .Constant("version", ControlProtocol.Version, "The protocol's version.")
        .Text("name", call => call.MachineName)
        .Count("pid", _ => Environment.ProcessId, minimum: 1)
        .Text("kernel", call => call.Machine.Info.Kernel, "The kernel's file, as the user named it.")
        .Count("vcpus", call => call.Machine.Info.Vcpus, minimum: 1, about: "How many are in the machine now.")
        .Count("mostVcpus", call => call.Machine.Info.MostVcpus, minimum: 1, about: "How many there can be.")
        .Bytes("memoryBytes", call => call.Machine.MemoryBytes, "Guest RAM, including what the balloon holds.")
        .Word(State, MachineStates.Words, call => call.Machine.State.Word(), "Of 'minivmm run' it is running or paused.")
        .KnownCount(Restarts, call => call.Machine.Host?.Restarts, "How often its host has started it again; null without one.")
        .Time("startedAt", call => call.Machine.Info.StartedAt, "Left out while it does not run.", required: false)
        .Seconds("uptimeSeconds", call => call.Uptime, "Left out while it does not run.", required: false);

    private static readonly AnswerColumn[] Columns =
    [
        new("name"), new("process", IsNumber: true), new(State), new("vCPUs", IsNumber: true), new("memory", IsNumber: true),
        new("up", IsNumber: true), new("kernel"),
    ];

    public override string Name => "info";

    public override string Help => "Show the machine's process, state, vCPUs, memory, uptime and kernel";

    public override bool ChangesMachine => false;

    internal override JsonShape Answer => Shape;

    /// <summary>Machines as <c>minivmm ps</c> lists them, one per row.</summary>
    /// <param name="infos">Each machine's answer.</param>
    public static AnswerTable List(IReadOnlyList<JsonElement> infos)
    {
        AnswerTable table = new(Columns);
        foreach (JsonElement info in infos)
            table.Add(Cells(new(info)));
        return table;
    }

    /// <summary>The machine as it is now.</summary>
    internal static MachineLook Look(ControlClient client)
    {
        AnswerObject info = new(client.Ask(new InfoVerb()));
        return new(MachineStates.Parse(info.Text(State)), info.Number(Restarts));
    }

    internal override Action<Utf8JsonWriter> Execute(VerbCall call) => Shape.Answer(call);

    private protected override IReadOnlyList<AnswerTable> Show(JsonElement content) => [List([content])];

    private static string[] Cells(AnswerObject info) =>
    [
        info.Text("name"),
        info.Number("pid")?.ToString(CultureInfo.InvariantCulture) ?? "",
        info.Text(State),
        info.Number("vcpus")?.ToString(CultureInfo.InvariantCulture) ?? "",
        info.Size("memoryBytes") is { } bytes ? ByteSize.Format(bytes) : "",
        info.Fraction("uptimeSeconds") is { } seconds ? AnswerObject.Duration(seconds) : "",
        info.Text("kernel"),
    ];
}
