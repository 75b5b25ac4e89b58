using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>
/// The control socket's protocol without the socket: a line in, a line out, as docs/control.md tells and
/// docs/control.schema.json describes. No bytes make it throw.
/// </summary>
internal sealed class ControlProtocol(string name, IControlledMachine machine, HostFiles host, TimeProvider clock)
{
    /// <summary>Of the protocol; a client that knows another one should not go on.</summary>
    public const int Version = 1;

    /// <summary>Bytes of a request at most, with its newline.</summary>
    public const int MaxRequest = 4096;

    private const int MaxId = 64;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 4, AllowDuplicateProperties = false };

    /// <summary>The answer to one line, both without and with newline.</summary>
    public byte[] Answer(ReadOnlyMemory<byte> line)
    {
        if (!Utf8.IsValid(line.Span))
            return Refusal("not UTF-8");
        try
        {
            using JsonDocument document = JsonDocument.Parse(line, Strict);
            return Answer(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter is half a surrogate pair, escaped.
            return Refusal("not a line of JSON");
        }
    }

    public static byte[] Refusal(string error, JsonElement id = default) => Line(writer =>
    {
        WriteId(writer, id);
        writer.WriteString("error", error);
    });

    private byte[] Answer(JsonElement request)
    {
        if (request.ValueKind != JsonValueKind.Object)
            return Refusal("not a JSON object");
        JsonElement id = default;
        if (request.TryGetProperty("id", out JsonElement given))
        {
            if (!IsId(given))
                return Refusal($"id: neither a whole number nor a string of up to {MaxId} characters");
            id = given;
        }

        if (!request.TryGetProperty("command", out JsonElement word) || word.ValueKind != JsonValueKind.String)
            return Refusal("command: missing, or not a string", id);
        string command = word.GetString()!;
        foreach (JsonProperty member in request.EnumerateObject())
        {
            if (member.Name is not ("id" or "command") && (member.Name != "bytes" || command != "balloon"))
                return Refusal($"{HostFiles.Printable(member.Name)}: not a member of this command", id);
        }

        try
        {
            return command switch
            {
                "info" => Ok(id, WriteInfo),
                "stats" => Ok(id, WriteStatistics),
                "balloon" => Balloon(id, request),
                "stop" => Stop(id),
                _ => Refusal("command: not one of info, stats, balloon, stop", id),
            };
        }
        catch (Exception e) when (e is VmmException or SystemCallException)
        {
            return Refusal(e.Message, id);
        }
        catch (ObjectDisposedException)
        {
            return Refusal("the machine is ending", id);
        }
    }

    private byte[] Stop(JsonElement id)
    {
        machine.Stop();
        return Ok(id, _ => { });
    }

    private byte[] Balloon(JsonElement id, JsonElement request)
    {
        if (machine.Balloon is null)
            return Refusal("this machine has no balloon; start it with --balloon", id);
        if (request.TryGetProperty("bytes", out JsonElement wanted))
        {
            if (wanted.ValueKind != JsonValueKind.Number || !wanted.TryGetUInt64(out ulong bytes))
                return Refusal("bytes: not a whole number of bytes", id);
            if (bytes > machine.Info.MemoryBytes)
            {
                return Refusal(
                    $"bytes: {bytes} are more than the guest's RAM, {ByteSize.Format(machine.Info.MemoryBytes)}", id);
            }

            machine.SetBalloon(bytes);
        }

        BalloonState state = machine.Balloon;
        return Ok(id, writer => WriteBalloon(writer, state, null));
    }

    private void WriteInfo(Utf8JsonWriter writer)
    {
        MachineInfo info = machine.Info;
        writer.WriteStartObject("info");
        writer.WriteNumber("version", Version);
        writer.WriteString("name", name);
        writer.WriteNumber("pid", Environment.ProcessId);
        writer.WriteString("kernel", info.Kernel);
        writer.WriteNumber("vcpus", info.Vcpus);
        writer.WriteNumber("memoryBytes", info.MemoryBytes);
        writer.WriteString("startedAt", info.StartedAt.UtcDateTime);
        writer.WriteNumber("uptimeSeconds", Uptime(info));
        writer.WriteEndObject();
    }

    private void WriteStatistics(Utf8JsonWriter writer)
    {
        MachineStatistics statistics = machine.ReadStatistics();
        ProcessMemory memory = ProcessMemory.Read(host);
        MachineInfo info = machine.Info;
        writer.WriteStartObject("statistics");
        writer.WriteNumber("uptimeSeconds", Uptime(info));
        writer.WriteStartArray("vcpus");
        foreach (VcpuCounts vcpu in statistics.Vcpus)
        {
            writer.WriteStartObject();
            writer.WriteNumber("exits", vcpu.Exits);
            WriteNumbers(writer, "byReason", vcpu.ByReason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartObject("memory");
        writer.WriteNumber("ramBytes", info.MemoryBytes);
        writer.WriteString("backing", statistics.Backing);
        WriteNumber(writer, "residentBytes", memory.ResidentBytes);
        WriteNumber(writer, "swappedBytes", memory.SwappedBytes);
        WriteNumber(writer, "hugetlbBytes", memory.HugetlbBytes);
        if (machine.Balloon is { } balloon)
            WriteBalloon(writer, balloon, statistics.GuestMemory);
        else
            writer.WriteNull("balloon");
        writer.WriteStartObject("ksm");
        WriteNumber(writer, "mergingPages", memory.KsmMergingPages);
        WriteNumbers(writer, "process", memory.KsmOfProcess);
        WriteNumbers(writer, "host", memory.KsmOfHost);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteStartArray("devices");
        foreach (DeviceCounters device in statistics.Devices)
        {
            writer.WriteStartObject();
            writer.WriteString("name", device.Name);
            writer.WriteString("kind", device.Kind);
            WriteNumbers(writer, "counters", device.Counters);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <param name="guest">The guest's figures; they are written only in statistics.</param>
    private static void WriteBalloon(
        Utf8JsonWriter writer, BalloonState state, IReadOnlyDictionary<string, long>? guest)
    {
        writer.WriteStartObject("balloon");
        writer.WriteNumber("targetBytes", state.TargetBytes);
        writer.WriteNumber("actualBytes", state.ActualBytes);
        if (guest is not null)
            WriteNumbers(writer, "guest", guest);
        writer.WriteEndObject();
    }

    private double Uptime(MachineInfo info) =>
        Math.Round(Math.Max(0, (clock.GetUtcNow() - info.StartedAt).TotalSeconds), 3);

    private static void WriteNumber(Utf8JsonWriter writer, string name, long? value)
    {
        if (value is { } number)
            writer.WriteNumber(name, number);
        else
            writer.WriteNull(name);
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string name, IReadOnlyDictionary<string, long> numbers)
    {
        writer.WriteStartObject(name);
        foreach ((string counter, long value) in numbers)
            writer.WriteNumber(counter, value);
        writer.WriteEndObject();
    }

    private static bool IsId(JsonElement id) => id.ValueKind switch
    {
        JsonValueKind.Number => id.TryGetInt64(out _),
        JsonValueKind.String => id.GetString()!.Length <= MaxId,
        _ => false,
    };

    private static void WriteId(Utf8JsonWriter writer, JsonElement id)
    {
        if (id.ValueKind == JsonValueKind.Number)
            writer.WriteNumber("id", id.GetInt64());
        else if (id.ValueKind == JsonValueKind.String)
            writer.WriteString("id", id.GetString());
    }

    private static byte[] Ok(JsonElement id, Action<Utf8JsonWriter> write) => Line(writer =>
    {
        WriteId(writer, id);
        writer.WriteBoolean("ok", true);
        write(writer);
    });

    private static byte[] Line(Action<Utf8JsonWriter> write)
    {
        ArrayBufferWriter<byte> line = new();
        using (Utf8JsonWriter writer = new(line))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        line.Write("\n"u8);
        return line.WrittenSpan.ToArray();
    }
}
