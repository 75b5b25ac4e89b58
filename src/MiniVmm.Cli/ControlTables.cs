using System.Globalization;
using System.Text.Json;
using MiniVmm.Cli.Output;
using MiniVmm.Control;
using Spectre.Console;

namespace MiniVmm.Cli;

/// <summary>Answers of control sockets, for people. What an older or newer machine leaves out is left out.</summary>
internal static class ControlTables
{
    private const int PageSize = 4096;

    public static void WriteJson(Action<Utf8JsonWriter> write)
    {
        using Stream output = Standard.OpenOutput();
        using (Utf8JsonWriter writer = new(output, new JsonWriterOptions { Indented = true }))
            write(writer);
        output.Write("\n"u8);
    }

    public static void PrintMachines(IReadOnlyList<JsonElement> infos)
    {
        Table table = Tables.New("name", ">process", ">vCPUs", ">memory", ">up", "kernel");
        foreach (JsonElement info in infos)
        {
            table.AddRow(
                Text(info, "name"),
                Number(info, "pid") is { } pid ? pid.ToString(CultureInfo.InvariantCulture) : "",
                Number(info, "vcpus") is { } vcpus ? vcpus.ToString(CultureInfo.InvariantCulture) : "",
                Number(info, "memoryBytes") is { } bytes ? ByteSize.Format((ulong)bytes) : "",
                info.TryGetProperty("uptimeSeconds", out JsonElement up) && up.ValueKind == JsonValueKind.Number
                    ? Duration(up.GetDouble())
                    : "",
                Text(info, "kernel"));
        }

        Tables.StandardOutput().Write(table);
    }

    public static void PrintStatistics(JsonElement statistics)
    {
        IAnsiConsole console = Tables.StandardOutput();
        if (statistics.TryGetProperty("memory", out JsonElement memory) && memory.ValueKind == JsonValueKind.Object)
        {
            console.Write(Memory(memory));
            console.WriteLine();
        }

        JsonElement[] devices = Objects(statistics, "devices");
        if (devices.Length > 0)
        {
            console.Write(Devices(devices));
            console.WriteLine();
        }

        JsonElement[] vcpus = Objects(statistics, "vcpus");
        if (vcpus.Length > 0)
            console.Write(Exits(vcpus));
    }

    /// <summary>"96 MiB", or how far it is: "40 MiB of 96 MiB".</summary>
    public static string Balloon(BalloonState state) => state.ActualBytes == state.TargetBytes
        ? ByteSize.Format(state.ActualBytes)
        : $"{ByteSize.Format(state.ActualBytes)} of {ByteSize.Format(state.TargetBytes)}";

    private static Table Memory(JsonElement memory)
    {
        Table table = Tables.New("memory", "");
        if (Number(memory, "ramBytes") is { } ram)
            table.AddRow("guest RAM", $"{ByteSize.Format((ulong)ram)}, {Text(memory, "backing")}");
        AddSize("resident", "residentBytes");
        AddSize("swapped out", "swappedBytes");
        if (Number(memory, "hugetlbBytes") > 0)
            AddSize("on hugetlbfs", "hugetlbBytes");
        if (memory.TryGetProperty("balloon", out JsonElement balloon) && balloon.ValueKind == JsonValueKind.Object)
        {
            BalloonState state =
                new((ulong)(Number(balloon, "targetBytes") ?? 0), (ulong)(Number(balloon, "actualBytes") ?? 0));
            table.AddRow("balloon", Balloon(state));
            foreach ((string name, long value) in Numbers(balloon, "guest"))
                table.AddRow($"  guest's {name}", IsSize(name) ? Mebibytes(value) : Count(value));
        }

        if (memory.TryGetProperty("ksm", out JsonElement ksm) && ksm.ValueKind == JsonValueKind.Object)
            AddKsm(table, ksm);
        return table;

        void AddSize(string name, string member)
        {
            if (Number(memory, member) is { } bytes)
                table.AddRow(name, Mebibytes(bytes));
        }
    }

    private static void AddKsm(Table table, JsonElement ksm)
    {
        if (Number(ksm, "mergingPages") is { } merging)
            table.AddRow("merged by KSM", $"{Count(merging)} pages, {Mebibytes(merging * PageSize)}");
        Dictionary<string, long> process = Numbers(ksm, "process");
        if (process.TryGetValue("ksm_process_profit", out long profit) && profit != 0)
            table.AddRow("  saved by that", Mebibytes(profit));
        Dictionary<string, long> host = Numbers(ksm, "host");
        if (host.TryGetValue("run", out long run))
        {
            table.AddRow("KSM of the host", run == 1
                ? $"on: {Count(host.GetValueOrDefault("pages_sharing"))} pages share "
                    + $"{Count(host.GetValueOrDefault("pages_shared"))}, after "
                    + $"{Count(host.GetValueOrDefault("full_scans"))} full scans"
                : "off (echo 1 > /sys/kernel/mm/ksm/run)");
        }
    }

    private static Table Devices(JsonElement[] devices)
    {
        Table table = Tables.New("device", "kind", "counters");
        foreach (JsonElement device in devices)
        {
            IEnumerable<string> counters =
                Numbers(device, "counters").Select(counter => $"{counter.Key} {Count(counter.Value)}");
            table.AddRow(Text(device, "name"), Text(device, "kind"), Markup.Escape(string.Join(", ", counters)));
        }

        return table;
    }

    private static Table Exits(JsonElement[] vcpus)
    {
        Dictionary<string, long>[] counts = [.. vcpus.Select(vcpu => Numbers(vcpu, "byReason"))];
        Table table = Tables.New(["exits by reason", .. counts.Select((_, index) => $">vCPU {index}")]);
        IEnumerable<string> reasons = counts.SelectMany(count => count.Keys)
            .Distinct()
            .OrderByDescending(reason => counts.Sum(count => count.GetValueOrDefault(reason)));
        foreach (string reason in reasons)
            table.AddRow([Markup.Escape(reason), .. counts.Select(count => Count(count.GetValueOrDefault(reason)))]);
        table.AddRow(["all", .. vcpus.Select(vcpu => Count(Number(vcpu, "exits") ?? 0))]);
        return table;
    }

    /// <summary>Which of the guest's figures are bytes (docs/control.md).</summary>
    private static bool IsSize(string name) =>
        name is "swapIn" or "swapOut" or "freeMemory" or "totalMemory" or "availableMemory" or "diskCaches";

    private static string Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? Markup.Escape(Messages.Printable(value.GetString()!))
            : "";

    private static long? Number(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement value)
        && value.ValueKind == JsonValueKind.Number
        && value.TryGetInt64(out long number)
            ? number
            : null;

    private static JsonElement[] Objects(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Where(element => element.ValueKind == JsonValueKind.Object)]
            : [];

    private static Dictionary<string, long> Numbers(JsonElement parent, string name)
    {
        Dictionary<string, long> numbers = [];
        if (parent.TryGetProperty(name, out JsonElement members) && members.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty member in members.EnumerateObject())
            {
                if (member.Value.ValueKind == JsonValueKind.Number && member.Value.TryGetInt64(out long value))
                    numbers[member.Name] = value;
            }
        }

        return numbers;
    }

    private static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Mebibytes(long bytes) =>
        string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:N1} MiB");

    /// <summary>As clocks have it: "0:00:12", "2d 3:04:05".</summary>
    private static string Duration(double seconds)
    {
        TimeSpan time = TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 1e9));
        string days = time.Days > 0 ? $"{time.Days}d " : "";
        return string.Create(CultureInfo.InvariantCulture, $"{days}{time:h\\:mm\\:ss}");
    }
}
