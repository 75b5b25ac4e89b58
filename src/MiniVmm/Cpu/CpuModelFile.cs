using System.Text.Json;
using System.Text.Json.Serialization;

namespace MiniVmm.Cpu;

/// <summary>A file of CPU models: cpu-models.json and the user's own of the same form.</summary>
internal sealed class CpuModelFile
{
    public required List<CpuModelEntry> Models { get; init; }
}

/// <summary>One model in the file. Numbers may be written as "0x…".</summary>
internal sealed class CpuModelEntry
{
    public required string Name { get; init; }

    public string? Description { get; init; }

    /// <summary>The model that this one starts from; its own name means the built-in one it replaces.</summary>
    public string? Extends { get; init; }

    [JsonConverter(typeof(VendorConverter))]
    public string? Vendor { get; init; }

    [JsonConverter(typeof(FamilyConverter))]
    public uint? Family { get; init; }

    [JsonConverter(typeof(ModelConverter))]
    public uint? Model { get; init; }

    [JsonConverter(typeof(SteppingConverter))]
    public uint? Stepping { get; init; }

    [JsonConverter(typeof(ModelIdConverter))]
    public string? ModelId { get; init; }

    [JsonConverter(typeof(LevelConverter))]
    public uint? Level { get; init; }

    [JsonConverter(typeof(XLevelConverter))]
    [JsonPropertyName("xlevel")]
    public uint? XLevel { get; init; }

    /// <summary>The name of its caches, as in <see cref="CpuCaches"/>.</summary>
    [JsonConverter(typeof(CachesConverter))]
    public string? Caches { get; init; }

    /// <summary>Names, several to a string if one likes; added to those of the model it extends.</summary>
    [JsonConverter(typeof(FeatureListConverter))]
    public List<CpuFeature>? Features { get; init; }

    /// <summary>Names that the model it extends has and this one has not.</summary>
    [JsonConverter(typeof(FeatureListConverter))]
    public List<CpuFeature>? Without { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.KebabCaseLower,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(CpuModelFile))]
internal sealed partial class CpuModelJson : JsonSerializerContext;

/// <summary>Values are checked while they are read, so that the serializer adds the line to every complaint.</summary>
internal abstract class CheckedConverter<T> : JsonConverter<T>
{
    public sealed override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        throw new NotSupportedException("model files are only read");
}

internal abstract class NumberConverter(string what, uint low, uint high) : CheckedConverter<uint?>
{
    public override uint? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        uint number = 0;
        bool isNumber = reader.TokenType switch
        {
            JsonTokenType.Number => reader.TryGetUInt32(out number),
            JsonTokenType.String => CpuModels.TryNumber(reader.GetString()!, out number),
            _ => false,
        };
        return isNumber && (number >= low && number <= high || number == 0)
            ? number
            : throw new JsonException(
                $"{what} is not a number from {CpuModels.Hex(low)} to {CpuModels.Hex(high)}{(low > 0 ? ", or 0" : "")}");
    }
}

internal sealed class FamilyConverter() : NumberConverter("family", 0, CpuModels.MaxFamily);

internal sealed class ModelConverter() : NumberConverter("model", 0, CpuModels.MaxModel);

internal sealed class SteppingConverter() : NumberConverter("stepping", 0, CpuModels.MaxStepping);

internal sealed class LevelConverter() : NumberConverter("level", 1, CpuModels.MaxLevel);

internal sealed class XLevelConverter() : NumberConverter("xlevel", 0x80000001, CpuModels.MaxXLevel);

internal sealed class VendorConverter : CheckedConverter<string?>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            && reader.GetString() is { Length: 12 } vendor && vendor.All(char.IsAscii)
            ? vendor
            : throw new JsonException("vendor is not 12 ASCII characters as in GenuineIntel");
}

internal sealed class CachesConverter : CheckedConverter<string?>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && reader.GetString() is { } name && CpuCaches.Names.Contains(name)
            ? name
            : throw new JsonException($"caches is not one of {string.Join(", ", CpuCaches.Names)}");
}

internal sealed class ModelIdConverter : CheckedConverter<string?>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            && reader.GetString() is { Length: <= CpuModels.ModelIdLength } text && text.All(char.IsAscii)
            ? text
            : throw new JsonException(
                $"model-id is not a string of at most {CpuModels.ModelIdLength} ASCII characters");
}

internal sealed class FeatureListConverter : CheckedConverter<List<CpuFeature>?>
{
    public override List<CpuFeature>? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("a list of features is written [\"avx avx2\", \"bmi1\"]");
        List<CpuFeature> features = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.String)
                throw new JsonException("a feature is a string");
            foreach (string name in reader.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                features.Add(CpuFeatures.TryFind(name, out CpuFeature feature)
                    ? feature
                    : throw new JsonException(CpuFeatures.Unknown(name)));
            }
        }

        return features;
    }
}
