using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>An argument of a verb: a member of its request, and a word of <c>minivmm ctl</c>.</summary>
/// <param name="name">The request's member, as in <c>bytes</c>.</param>
/// <param name="word">Its placeholder in help, as in <c>SIZE</c>.</param>
internal abstract class VerbArgument(string name, string word)
{
    public string Name => name;

    public string Word => word;

    /// <summary>What it means, as help has it after its word and a colon; no full stop.</summary>
    public required string Help { get; init; }

    /// <summary>Whether requests without it are refused.</summary>
    public bool IsRequired { get; init; }

    /// <summary>Whether it stays with the client, as the name of a file of the client's, and is no member of the request.</summary>
    public bool IsLocal { get; init; }

    /// <summary>Reads the value from a request.</summary>
    /// <returns>What is wrong with it; null if it is good.</returns>
    internal abstract string? Read(JsonElement value, VerbArguments into);

    /// <summary>Writes a value of this kind as a request's member.</summary>
    internal abstract void Write(Utf8JsonWriter writer, object value);

    /// <summary>Writes the schema keywords that describe it into the open object.</summary>
    internal abstract void WriteSchema(Utf8JsonWriter writer);
}

/// <inheritdoc/>
/// <typeparam name="T">The type of value that the verb receives.</typeparam>
internal abstract class VerbArgument<T>(string name, string word) : VerbArgument(name, word)
    where T : notnull
{
    internal sealed override string? Read(JsonElement value, VerbArguments into)
    {
        if (!TryRead(value, out T read))
            return Expected;
        into.Set(this, read);
        return null;
    }

    internal sealed override void Write(Utf8JsonWriter writer, object value) => WriteValue(writer, (T)value);

    /// <summary>What is wrong with any other value, as in "not a whole number of bytes".</summary>
    private protected abstract string Expected { get; }

    private protected abstract bool TryRead(JsonElement value, out T read);

    private protected abstract void WriteValue(Utf8JsonWriter writer, T value);
}

/// <summary>A number of bytes, up to 2^64 - 1; on the command line a size such as 96M, where a bare number is MiB.</summary>
internal sealed class SizeArgument(string name, string word) : VerbArgument<ulong>(name, word)
{
    private protected override string Expected => "not a whole number of bytes";

    private protected override bool TryRead(JsonElement value, out ulong read)
    {
        read = 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out read);
    }

    private protected override void WriteValue(Utf8JsonWriter writer, ulong value) => writer.WriteNumber(Name, value);

    internal override void WriteSchema(Utf8JsonWriter writer) => writer.WriteString("$ref", "#/$defs/size");
}

/// <summary>A whole number within bounds.</summary>
/// <param name="name">The request's member.</param>
/// <param name="word">Its placeholder in help.</param>
/// <param name="minimum">The smallest value allowed.</param>
/// <param name="maximum">The largest value allowed.</param>
internal sealed class NumberArgument(string name, string word, long minimum, long maximum)
    : VerbArgument<long>(name, word)
{
    private protected override string Expected => $"not a whole number from {minimum} to {maximum}";

    private protected override bool TryRead(JsonElement value, out long read)
    {
        read = 0;
        return value.ValueKind == JsonValueKind.Number
            && value.TryGetInt64(out read)
            && read >= minimum
            && read <= maximum;
    }

    private protected override void WriteValue(Utf8JsonWriter writer, long value) => writer.WriteNumber(Name, value);

    internal override void WriteSchema(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "integer");
        writer.WriteNumber("minimum", minimum);
        writer.WriteNumber("maximum", maximum);
    }
}

/// <summary>Text, such as a name or a path.</summary>
/// <param name="name">The request's member.</param>
/// <param name="word">Its placeholder in help.</param>
/// <param name="maxLength">The most UTF-16 code units allowed.</param>
internal sealed class TextArgument(string name, string word, int maxLength) : VerbArgument<string>(name, word)
{
    private protected override string Expected => $"not a string of 1 to {maxLength} characters";

    private protected override bool TryRead(JsonElement value, out string read)
    {
        read = value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        return read.Length > 0 && read.Length <= maxLength;
    }

    private protected override void WriteValue(Utf8JsonWriter writer, string value) => writer.WriteString(Name, value);

    internal override void WriteSchema(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "string");
        writer.WriteNumber("minLength", 1);
        writer.WriteNumber("maxLength", maxLength);
    }
}
