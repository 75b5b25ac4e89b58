using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Control;
using MiniVmm.Host;
using MiniVmm.Passthrough;

namespace MiniVmm.Tools;

/// <summary><c>minivmm devices</c>: the host's PCI functions, and what each lacks to be passed to a guest.</summary>
internal sealed class DevicesCommand : DocumentedCommand
{
    private readonly Option<bool> _json = new("--json") { Description = "Write JSON instead of the table" };

    public DevicesCommand()
        : base("devices", "List the host's PCI devices, and what keeps each from being passed to a guest")
    {
        Group("Output", "minivmm devices --json", _json);
        SetAction(Run);
    }

    /// <summary>A line for each function.</summary>
    internal static AnswerTable Table(IReadOnlyList<Row> rows)
    {
        AnswerTable table =
            new([new("address"), new("class"), new("device"), new("driver"), new("group", IsNumber: true), new("for a guest")]);
        foreach (Row row in rows)
        {
            HostPciFunction function = row.Function;
            table.Add(
                $"{function.Address}",
                row.Class ?? $"{function.Class:x6}",
                $"{row.Vendor ?? $"{function.Vendor:x4}"} {row.Device ?? $"{function.Device:x4}"}",
                function.Driver ?? "-",
                function.Group?.ToString(CultureInfo.InvariantCulture) ?? "-",
                row.Obstacle is { } obstacle ? Word(obstacle.Kind) : "ready");
        }

        return table;
    }

    /// <summary>What to do about each function that is not ready; those that need the same share a line.</summary>
    internal static IEnumerable<string> Remedies(IReadOnlyList<Row> rows) =>
        from row in rows
        where row.Obstacle is { Command: not null } or { Advice: not null }
        group row by $"{row.Obstacle}" into same
        select $"{string.Join(", ", same.Select(row => row.Function.Address))}: {same.Key}";

    internal static void WriteJson(Utf8JsonWriter writer, IReadOnlyList<Row> rows)
    {
        writer.WriteStartArray();
        foreach (Row row in rows)
        {
            HostPciFunction function = row.Function;
            writer.WriteStartObject();
            writer.WriteString("address", $"{function.Address}");
            WriteNamed(writer, "class", $"{function.Class:x6}", row.Class);
            WriteNamed(writer, "vendor", $"{function.Vendor:x4}", row.Vendor);
            WriteNamed(writer, "device", $"{function.Device:x4}", row.Device);
            writer.WriteString("driver", function.Driver);
            if (function.Group is { } group)
                writer.WriteNumber("iommuGroup", group);
            else
                writer.WriteNull("iommuGroup");
            writer.WriteBoolean("ready", row.Obstacle is null);
            writer.WriteString("obstacle", row.Obstacle is { } obstacle ? Word(obstacle.Kind) : null);
            writer.WriteString("problem", row.Obstacle?.Problem);
            writer.WriteString("command", row.Obstacle?.Command);
            writer.WriteString("advice", row.Obstacle?.Advice);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>The functions of a host, with their names and obstacles.</summary>
    internal static IReadOnlyList<Row> Look(HostFiles files, Func<string, bool> mayOpen)
    {
        HostPciBus bus = new(files);
        PciNames names = new(files);
        return
        [
            .. bus.List().Select(function => new Row(
                function,
                names.Class(function.Class),
                names.Vendor(function.Vendor),
                names.Device(function.Vendor, function.Device),
                PassthroughObstacle.Find(bus, function, mayOpen))),
        ];
    }

    private int Run(ParseResult line)
    {
        IReadOnlyList<Row> rows = Look(new HostFiles(), FileCalls.MayReadAndWrite);
        if (line.GetValue(_json))
        {
            Answers.WriteJson(writer => WriteJson(writer, rows));
            return ExitStatus.Success;
        }

        Answers.Print([Table(rows)]);
        string[] remedies = [.. Remedies(rows)];
        if (remedies.Length > 0)
            Standard.Output.WriteLine();
        foreach (string remedy in remedies)
            Standard.Output.WriteLine(remedy);
        return ExitStatus.Success;
    }

    private static void WriteNamed(Utf8JsonWriter writer, string key, string id, string? name)
    {
        writer.WriteStartObject(key);
        writer.WriteString("id", id);
        writer.WriteString("name", name);
        writer.WriteEndObject();
    }

    private static string Word(ObstacleKind kind) => kind switch
    {
        ObstacleKind.Bridge => "bridge",
        ObstacleKind.NoIommu => "no IOMMU",
        ObstacleKind.GroupInUse => "group in use",
        ObstacleKind.NotBound => "not bound",
        _ => "not permitted",
    };

    /// <summary>A function; names are null where pci.ids has none.</summary>
    internal sealed record Row(
        HostPciFunction Function, string? Class, string? Vendor, string? Device, PassthroughObstacle? Obstacle);
}
