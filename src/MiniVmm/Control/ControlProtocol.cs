using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>
/// The control protocol without its socket: a line in, a line out, as in docs/control.md and docs/control.schema.json.
/// Never throws, whatever the bytes.
/// </summary>
/// <param name="name">The machine's name.</param>
/// <param name="machine">What the verbs act on.</param>
/// <param name="host">Gives this process's figures.</param>
/// <param name="clock">Gives the time.</param>
/// <param name="verbs">The verbs it knows; null for all. They are not created before the first request.</param>
internal sealed class ControlProtocol(
    string name,
    IControlledMachine machine,
    HostFiles host,
    TimeProvider clock,
    IReadOnlyList<ControlVerb>? verbs = null)
{
    /// <summary>The protocol's version; a client that does not know it should not continue.</summary>
    public const int Version = 1;

    /// <summary>The longest request in bytes, newline included.</summary>
    public const int MaxRequest = 4096;

    /// <summary>The longest id in characters.</summary>
    public const int MaxId = 64;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 4, AllowDuplicateProperties = false };

    private IReadOnlyList<ControlVerb> Verbs => verbs ?? ControlVerbs.All;

    /// <summary>Whether this user may use any verb at all.</summary>
    public bool Serves(uint caller) => Verbs.Any(verb => verb.Callers.Include(caller));

    /// <summary>Answers a request.</summary>
    /// <param name="line">The request, without its newline.</param>
    /// <param name="caller">The user who sent it.</param>
    /// <returns>The answer, with its newline.</returns>
    public byte[] Answer(ReadOnlyMemory<byte> line, uint caller)
    {
        if (!Utf8.IsValid(line.Span))
            return Refuse(ControlRefusal.NotUtf8);
        using JsonDocument? request = TryParse(line);
        return request is null ? Refuse(ControlRefusal.NotJson) : Answer(request.RootElement, caller);
    }

    public static byte[] Refuse(string error, JsonElement id = default) => Line(writer =>
    {
        WriteId(writer, id);
        writer.WriteString("error", error);
    });

    private static JsonDocument? TryParse(ReadOnlyMemory<byte> line)
    {
        try
        {
            return JsonLine.Parse(line, Strict);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private byte[] Answer(JsonElement request, uint caller)
    {
        if (request.ValueKind != JsonValueKind.Object)
            return Refuse(ControlRefusal.NotAnObject);
        JsonElement id = default;
        if (request.TryGetProperty("id", out JsonElement given))
        {
            if (!IsId(given))
                return Refuse(ControlRefusal.BadId);
            id = given;
        }

        if (!request.TryGetProperty("command", out JsonElement word) || word.ValueKind != JsonValueKind.String)
            return Refuse(ControlRefusal.NoCommand, id);
        string command = word.GetString()!;
        if (ControlVerbs.Find(Verbs, command) is not { } verb)
            return Refuse(ControlRefusal.UnknownCommand(command, Verbs), id);
        if (!verb.Callers.Include(caller))
            return Refuse(ControlRefusal.NotForYou(verb), id);
        VerbArguments arguments = new();
        return Read(request, verb, arguments) is { } wrong ? Refuse(wrong, id) : Execute(verb, arguments, id);
    }

    /// <returns>What is wrong with the request's arguments; null if they are good.</returns>
    private static string? Read(JsonElement request, ControlVerb verb, VerbArguments into)
    {
        foreach (JsonProperty member in request.EnumerateObject())
        {
            if (member.Name is "id" or "command")
                continue;
            if (verb.Members.FirstOrDefault(argument => argument.Name == member.Name) is not { } argument)
                return ControlRefusal.UnknownMember(member.Name, verb);
            if (argument.Read(member.Value, into) is { } wrong)
                return ControlRefusal.Wrong(argument, wrong);
        }

        return verb.Members.FirstOrDefault(argument => argument.IsRequired && !into.Has(argument)) is { } missing
            ? ControlRefusal.Missing(missing, verb)
            : null;
    }

    private byte[] Execute(ControlVerb verb, VerbArguments arguments, JsonElement id)
    {
        try
        {
            Action<Utf8JsonWriter>? answer = verb.Execute(new VerbCall(machine, name, arguments, host, clock));
            return Line(writer =>
            {
                WriteId(writer, id);
                writer.WriteBoolean("ok", true);
                answer?.Invoke(writer);
            });
        }
        catch (Exception e) when (e is VmmException or SystemCallException)
        {
            return Refuse(e.Message, id);
        }
        catch (ObjectDisposedException)
        {
            return Refuse(ControlRefusal.Ending, id);
        }
#pragma warning disable CA1031 // a bug in one verb must not take the guest down
        catch (Exception e)
        {
            return Refuse(ControlRefusal.Bug(verb, e), id);
        }
#pragma warning restore CA1031
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
