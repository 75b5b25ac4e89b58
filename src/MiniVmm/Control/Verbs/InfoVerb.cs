using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>info</c>: which machine it is.</summary>
public sealed class InfoVerb : ControlVerb
{
    private static readonly JsonShape<VerbCall> Shape = new JsonShape<VerbCall>("info")
        .Constant("version", ControlProtocol.Version, "Of this protocol.")
        .Text("name", call => call.MachineName)
        .Count("pid", _ => Environment.ProcessId, minimum: 1)
        .Text("kernel", call => call.Machine.Info.Kernel, "The kernel's file, as the user named it.")
        .Count("vcpus", call => call.Machine.Info.Vcpus, minimum: 1)
        .Bytes("memoryBytes", call => call.Machine.Info.MemoryBytes, "Guest RAM, with what the balloon has of it.")
        .Time("startedAt", call => call.Machine.Info.StartedAt)
        .Seconds("uptimeSeconds", call => call.Uptime);

    public override string Name => "info";

    public override string Help => "Show what it is: process, vCPUs, memory, since when, kernel";

    public override bool ChangesMachine => false;

    internal override JsonShape Answer => Shape;

    /// <summary>Machines beneath each other, as <c>minivmm ps</c> lists them.</summary>
    /// <param name="infos">Each one's answer.</param>
    public static AnswerTable List(IReadOnlyList<JsonElement> infos)
    {
        AnswerTable table = new(
        [
            new("name"), new("process", IsNumber: true), new("vCPUs", IsNumber: true), new("memory", IsNumber: true),
            new("up", IsNumber: true), new("kernel"),
        ]);
        foreach (AnswerObject info in infos.Select(info => new AnswerObject(info)))
        {
            table.Add(
                info.Text("name"),
                info.Number("pid")?.ToString(CultureInfo.InvariantCulture) ?? "",
                info.Number("vcpus")?.ToString(CultureInfo.InvariantCulture) ?? "",
                info.Size("memoryBytes") is { } bytes ? ByteSize.Format(bytes) : "",
                info.Fraction("uptimeSeconds") is { } seconds ? AnswerObject.Duration(seconds) : "",
                info.Text("kernel"));
        }

        return table;
    }

    internal override Action<Utf8JsonWriter> Execute(VerbCall call) => Shape.Answer(call);

    private protected override IReadOnlyList<AnswerTable> Show(JsonElement content) => [List([content])];
}
