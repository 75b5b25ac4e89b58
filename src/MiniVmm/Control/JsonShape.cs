using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>
/// An object in an answer: each member's name, type and meaning, stated once for both the writer and the schema.
/// </summary>
/// <param name="name">Its name in the schema's definitions and in answers; null for one that only occurs inside others.</param>
internal abstract class JsonShape(string? name)
{
    public string? Name => name;

    /// <summary>This shape and those inside it that have a name.</summary>
    public abstract IEnumerable<JsonShape> Named { get; }

    /// <summary>Writes the schema keywords that describe it into the open object.</summary>
    public abstract void WriteSchema(Utf8JsonWriter writer);

    /// <summary>Writes a reference to it if it has a name, otherwise its description.</summary>
    public void WriteUse(Utf8JsonWriter writer)
    {
        if (name is null)
            WriteSchema(writer);
        else
            writer.WriteString("$ref", $"#/$defs/{name}");
    }
}

/// <inheritdoc/>
/// <typeparam name="T">The type of value that it writes.</typeparam>
internal sealed class JsonShape<T>(string? name = null) : JsonShape(name)
    where T : class
{
    private readonly List<Member> _members = [];
    private readonly List<JsonShape> _inner = [];

    public override IEnumerable<JsonShape> Named =>
        _inner.SelectMany(shape => shape.Named).Concat(Name is null ? [] : [this]);

    /// <summary>A writer of the value as a member with the shape's name.</summary>
    public Action<Utf8JsonWriter> Answer(T value) => writer =>
    {
        writer.WritePropertyName(Name!);
        Write(writer, value);
    };

    public void Write(Utf8JsonWriter writer, T value)
    {
        writer.WriteStartObject();
        foreach (Member member in _members)
            member.Write(writer, value);
        writer.WriteEndObject();
    }

    public JsonShape<T> Constant(string member, int value, string? about = null) => Add(
        member,
        about,
        schema => schema.WriteNumber("const", value),
        (writer, _) => writer.WriteNumber(member, value));

    public JsonShape<T> Text(string member, Func<T, string> get, string? about = null) => Add(
        member,
        about,
        schema => schema.WriteString("type", "string"),
        (writer, value) => writer.WriteString(member, get(value)));

    /// <summary>Bytes, in Base64.</summary>
    public JsonShape<T> Binary(string member, Func<T, byte[]> get, string? about = null) => Add(
        member,
        about,
        schema =>
        {
            schema.WriteString("type", "string");
            schema.WriteString("contentEncoding", "base64");
        },
        (writer, value) => writer.WriteBase64String(member, get(value)));

    /// <summary>One of these words.</summary>
    public JsonShape<T> Word(string member, string[] words, Func<T, string> get, string? about = null) =>
        Word(member, words, get, about, required: true);

    /// <summary>One of these words, or left out if it is null.</summary>
    public JsonShape<T> OptionalWord(string member, string[] words, Func<T, string?> get, string? about = null) =>
        Word(member, words, get, about, required: false);

    public JsonShape<T> Flag(string member, Func<T, bool> get, string? about = null) => Add(
        member,
        about,
        schema => schema.WriteString("type", "boolean"),
        (writer, value) => writer.WriteBoolean(member, get(value)));

    /// <summary>A point in time; left out where it is null.</summary>
    public JsonShape<T> Time(string member, Func<T, DateTimeOffset?> get, string? about = null, bool required = true) => Add(
        member,
        about,
        schema =>
        {
            schema.WriteString("type", "string");
            schema.WriteString("format", "date-time");
        },
        (writer, value) =>
        {
            if (get(value) is { } time)
                writer.WriteString(member, time.UtcDateTime);
        },
        required);

    /// <summary>A length of time; left out where it is null.</summary>
    public JsonShape<T> Seconds(string member, Func<T, double?> get, string? about = null, bool required = true) => Add(
        member,
        about,
        schema =>
        {
            schema.WriteString("type", "number");
            schema.WriteNumber("minimum", 0);
        },
        (writer, value) =>
        {
            if (get(value) is { } seconds)
                writer.WriteNumber(member, seconds);
        },
        required);

    public JsonShape<T> Count(string member, Func<T, long> get, long minimum = 0, string? about = null) => Add(
        member,
        about,
        schema =>
        {
            schema.WriteString("type", "integer");
            schema.WriteNumber("minimum", minimum);
        },
        (writer, value) => writer.WriteNumber(member, get(value)));

    public JsonShape<T> Bytes(string member, Func<T, ulong> get, string? about = null) => Add(
        member,
        about,
        schema => schema.WriteString("$ref", "#/$defs/size"),
        (writer, value) => writer.WriteNumber(member, get(value)));

    /// <summary>A number; null if the host does not provide it.</summary>
    public JsonShape<T> KnownCount(string member, Func<T, long?> get, string? about = null) => Add(
        member,
        about,
        schema => schema.WriteString("$ref", "#/$defs/knownCount"),
        (writer, value) =>
        {
            if (get(value) is { } number)
                writer.WriteNumber(member, number);
            else
                writer.WriteNull(member);
        });

    /// <summary>Numbers under names that are not ours; left out if null.</summary>
    public JsonShape<T> Counters(
        string member, Func<T, IReadOnlyDictionary<string, long>?> get, string? about = null, bool required = true) =>
        Add(
            member,
            about,
            schema => schema.WriteString("$ref", "#/$defs/counters"),
            (writer, value) =>
            {
                if (get(value) is not { } numbers)
                    return;
                writer.WriteStartObject(member);
                foreach ((string counter, long number) in numbers)
                    writer.WriteNumber(counter, number);
                writer.WriteEndObject();
            },
            required);

    public JsonShape<T> Inner<TInner>(string member, JsonShape<TInner> shape, Func<T, TInner> get, string? about = null)
        where TInner : class
    {
        _inner.Add(shape);
        return Add(
            member,
            about,
            shape.WriteUse,
            (writer, value) =>
            {
                writer.WritePropertyName(member);
                shape.Write(writer, get(value));
            });
    }

    /// <summary>Another object, or null.</summary>
    public JsonShape<T> InnerOrNull<TInner>(
        string member, JsonShape<TInner> shape, Func<T, TInner?> get, string? about = null)
        where TInner : class
    {
        _inner.Add(shape);
        return Add(
            member,
            about,
            schema =>
            {
                schema.WriteStartArray("anyOf");
                schema.WriteStartObject();
                schema.WriteString("type", "null");
                schema.WriteEndObject();
                schema.WriteStartObject();
                shape.WriteUse(schema);
                schema.WriteEndObject();
                schema.WriteEndArray();
            },
            (writer, value) =>
            {
                writer.WritePropertyName(member);
                if (get(value) is { } inner)
                    shape.Write(writer, inner);
                else
                    writer.WriteNullValue();
            });
    }

    public JsonShape<T> List<TInner>(
        string member,
        JsonShape<TInner> shape,
        Func<T, IReadOnlyList<TInner>> get,
        int minItems = 0,
        string? about = null)
        where TInner : class
    {
        _inner.Add(shape);
        return Add(
            member,
            about,
            schema =>
            {
                schema.WriteString("type", "array");
                if (minItems > 0)
                    schema.WriteNumber("minItems", minItems);
                schema.WriteStartObject("items");
                shape.WriteUse(schema);
                schema.WriteEndObject();
            },
            (writer, value) =>
            {
                writer.WriteStartArray(member);
                foreach (TInner inner in get(value))
                    shape.Write(writer, inner);
                writer.WriteEndArray();
            });
    }

    public override void WriteSchema(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "object");
        writer.WriteStartArray("required");
        foreach (Member member in _members.Where(member => member.Required))
            writer.WriteStringValue(member.Name);
        writer.WriteEndArray();
        writer.WriteStartObject("properties");
        foreach (Member member in _members)
        {
            writer.WriteStartObject(member.Name);
            if (member.About is not null)
                writer.WriteString("description", member.About);
            member.WriteSchema(writer);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
        writer.WriteBoolean("additionalProperties", false);
    }

    private JsonShape<T> Word(
        string member, string[] words, Func<T, string?> get, string? about, bool required) => Add(
        member,
        about,
        schema =>
        {
            schema.WriteStartArray("enum");
            foreach (string word in words)
                schema.WriteStringValue(word);
            schema.WriteEndArray();
        },
        (writer, value) =>
        {
            if (get(value) is { } word)
                writer.WriteString(member, word);
        },
        required);

    private JsonShape<T> Add(
        string member, string? about, Action<Utf8JsonWriter> schema, Action<Utf8JsonWriter, T> write, bool required = true)
    {
        _members.Add(new Member(member, about, required, schema, write));
        return this;
    }

    private sealed record Member(
        string Name,
        string? About,
        bool Required,
        Action<Utf8JsonWriter> WriteSchema,
        Action<Utf8JsonWriter, T> Write);
}
