using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>info</c>: shows which machine it is.</summary>
internal sealed class InfoVerb : ControlVerb
{
    private const string Paused = "paused";

    private static readonly JsonShape<VerbCall> Shape = new JsonShape<VerbCall>("info")
        .Constant("version", ControlProtocol.Version, "The protocol's version.")
        .Text("name", call => call.MachineName)
        .Count("pid", _ => Environment.ProcessId, minimum: 1)
        .Text("kernel", call => call.Machine.Info.Kernel, "The kernel's file, as the user named it.")
        .Count("vcpus", call => call.Machine.Info.Vcpus, minimum: 1)
        .Bytes("memoryBytes", call => call.Machine.Info.MemoryBytes, "Guest RAM, including what the balloon holds.")
        .Time("startedAt", call => call.Machine.Info.StartedAt)
        .Seconds("uptimeSeconds", call => call.Uptime)
        .Flag(Paused, call => call.Machine.IsPaused, "Whether the machine is paused.");

    private static readonly AnswerColumn[] Columns =
    [
        new("name"), new("process", IsNumber: true), new("vCPUs", IsNumber: true), new("memory", IsNumber: true),
        new("up", IsNumber: true), new("kernel"),
    ];

    public override string Name => "info";

    public override string Help => "Show the machine's process, vCPUs, memory, uptime, kernel and state";

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

    /// <summary>Whether the machine is paused; an older one that does not say is taken to be running.</summary>
    internal static bool IsPaused(ControlClient client) => new AnswerObject(client.Ask(new InfoVerb())).Flag(Paused) ?? false;

    internal override Action<Utf8JsonWriter> Execute(VerbCall call) => Shape.Answer(call);

    private protected override IReadOnlyList<AnswerTable> Show(JsonElement content)
    {
        AnswerObject info = new(content);
        AnswerTable table = new([.. Columns, new("state")]);
        table.Add([.. Cells(info), info.Flag(Paused) switch { true => "paused", false => "running", null => "" }]);
        return [table];
    }

    private static string[] Cells(AnswerObject info) =>
    [
        info.Text("name"),
        info.Number("pid")?.ToString(CultureInfo.InvariantCulture) ?? "",
        info.Number("vcpus")?.ToString(CultureInfo.InvariantCulture) ?? "",
        info.Size("memoryBytes") is { } bytes ? ByteSize.Format(bytes) : "",
        info.Fraction("uptimeSeconds") is { } seconds ? AnswerObject.Duration(seconds) : "",
        info.Text("kernel"),
    ];
}
