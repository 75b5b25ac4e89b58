using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>One argument of a verb: a member of its request, and a word of <c>minivmm ctl</c>.</summary>
/// <param name="name">The member, as in <c>bytes</c>.</param>
/// <param name="word">Its place in help, as in <c>SIZE</c>.</param>
public abstract class VerbArgument(string name, string word)
{
    public string Name => name;

    public string Word => word;

    /// <summary>What it is: behind its word and a colon, without a full stop.</summary>
    public required string Help { get; init; }

    /// <summary>Whether a request without it is refused.</summary>
    public bool IsRequired { get; init; }

    /// <summary>Takes a request's value.</summary>
    /// <returns>What is wrong with it; null if nothing is.</returns>
    internal abstract string? Read(JsonElement value, VerbArguments into);

    /// <summary>Writes a value of this kind as the request's member.</summary>
    internal abstract void Write(Utf8JsonWriter writer, object value);

    /// <summary>Writes the keywords that describe it into the open object of a JSON schema.</summary>
    internal abstract void WriteSchema(Utf8JsonWriter writer);
}

/// <inheritdoc/>
/// <typeparam name="T">What a verb gets.</typeparam>
public abstract class VerbArgument<T>(string name, string word) : VerbArgument(name, word)
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

    /// <summary>What is wrong with anything else, as in "not a whole number of bytes".</summary>
    private protected abstract string Expected { get; }

    private protected abstract bool TryRead(JsonElement value, out T read);

    private protected abstract void WriteValue(Utf8JsonWriter writer, T value);
}

/// <summary>A number of bytes, up to 2^64 - 1; typed as <see cref="ByteSize"/> reads it.</summary>
public sealed class SizeArgument(string name, string word) : VerbArgument<ulong>(name, word)
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
/// <param name="name">The member of the request.</param>
/// <param name="word">Its place in help.</param>
/// <param name="minimum">The least allowed.</param>
/// <param name="maximum">The most allowed.</param>
public sealed class NumberArgument(string name, string word, long minimum, long maximum)
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

/// <summary>Text: a name, say, or a path.</summary>
/// <param name="name">The member of the request.</param>
/// <param name="word">Its place in help.</param>
/// <param name="maxLength">UTF-16 code units at most.</param>
public sealed class TextArgument(string name, string word, int maxLength) : VerbArgument<string>(name, word)
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
