using System.Text.Json;

namespace MiniVmm.Testing;

/// <summary>
/// A folder's tests in a file <c>minivmm-tests.json</c>: <c>defaults</c> for all in the folder, and <c>tests</c>, each with
/// its <c>image</c>, a <c>name</c> if it has not the image's, and the keys of <see cref="TestKeys"/>. Comments are allowed.
/// </summary>
/// <param name="Defaults">What every test of the folder begins with.</param>
/// <param name="Tests">Its tests.</param>
internal sealed record TestManifest(TestCase Defaults, IReadOnlyList<ManifestTest> Tests)
{
    /// <summary>The file's name.</summary>
    public const string FileName = "minivmm-tests.json";

    /// <summary>Most bytes of one.</summary>
    public const int MostBytes = 4 << 20;

    private static readonly JsonDocumentOptions Lenient = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        AllowDuplicateProperties = false,
        MaxDepth = 8,
    };

    /// <summary>Reads one.</summary>
    /// <param name="json">The file's bytes.</param>
    /// <param name="path">The file, for errors, and for the paths in it.</param>
    /// <param name="defaults">What tests are without it.</param>
    /// <exception cref="BadInputException">It is not of that form.</exception>
    public static TestManifest Read(ReadOnlyMemory<byte> json, string path, TestCase defaults)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(WithoutMark(json), Lenient);
            return Read(document.RootElement, path, defaults);
        }
        catch (JsonException e)
        {
            string at = e.LineNumber is { } line ? $":{line + 1}" : "";
            throw new BadInputException($"{path}{at}: not JSON: {Reason(e)}", e);
        }
        catch (InvalidOperationException e) // a string of half a surrogate pair, which JSON can spell
        {
            throw new BadInputException($"{path}: a text in it is no Unicode: {e.Message}", e);
        }
    }

    private static TestManifest Read(JsonElement root, string path, TestCase defaults)
    {
        string folder = Path.GetDirectoryName(path) ?? "";
        if (root.ValueKind != JsonValueKind.Object)
            throw new BadInputException($"{path}: not an object with \"tests\"");
        foreach (JsonProperty part in root.EnumerateObject())
        {
            if (part.Name is not ("defaults" or "tests"))
                throw new BadInputException($"{path}: '{part.Name}' is not one of \"defaults\" and \"tests\"");
        }

        if (root.TryGetProperty("defaults", out JsonElement common))
            defaults = With(defaults, common, folder, $"{path}: defaults");
        List<ManifestTest> tests = [];
        if (!root.TryGetProperty("tests", out JsonElement list))
            return new(defaults, tests);
        if (list.ValueKind != JsonValueKind.Array)
            throw new BadInputException($"{path}: \"tests\" is not a list");
        HashSet<string> names = [];
        foreach (JsonElement entry in list.EnumerateArray())
        {
            string where = $"{path}: tests[{tests.Count}]";
            ManifestTest test = ReadTest(entry, folder, where, defaults);
            if (!names.Add(test.Name))
                throw new BadInputException($"{where}: there are two tests called '{test.Name}'; give one another name");
            tests.Add(test);
        }

        return new(defaults, tests);
    }

    private static ManifestTest ReadTest(JsonElement entry, string folder, string where, TestCase defaults)
    {
        if (entry.ValueKind != JsonValueKind.Object)
            throw new BadInputException($"{where}: not an object with an \"image\"");
        string image = ReadName(entry, "image", where) ?? throw new BadInputException($"{where}: has no \"image\"");
        string name = ReadName(entry, "name", where) ?? image;
        return new(name, image, With(defaults, entry, folder, $"{where} '{name}'"));
    }

    /// <summary>A property that is read apart from the keys.</summary>
    private static string? ReadName(JsonElement entry, string property, string where)
    {
        if (!entry.TryGetProperty(property, out JsonElement value))
            return null;
        return value.ValueKind == JsonValueKind.String && value.GetString() is { } text && !string.IsNullOrWhiteSpace(text)
            && !text.Any(char.IsControl)
            ? text
            : throw new BadInputException($"{where}: \"{property}\" is not a name");
    }

    private static TestCase With(TestCase test, JsonElement keys, string folder, string where)
    {
        if (keys.ValueKind != JsonValueKind.Object)
            throw new BadInputException($"{where}: not an object of keys");
        foreach (JsonProperty key in keys.EnumerateObject())
        {
            if (key.Name is "image" or "name")
                continue;
            if (TestKeys.IsList(key.Name))
                test = test.Without(key.Name);
            try
            {
                foreach (string text in Texts(key))
                    test = test.With(key.Name, text, folder);
            }
            catch (BadInputException e)
            {
                throw new BadInputException($"{where}: {e.Text}", e);
            }
        }

        return test;
    }

    private static List<string> Texts(JsonProperty key)
    {
        if (key.Value.ValueKind != JsonValueKind.Array)
            return [Text(key.Name, key.Value)];
        List<string> texts = [];
        foreach (JsonElement value in key.Value.EnumerateArray())
            texts.Add(Text(key.Name, value));
        return texts;
    }

    private static string Text(string key, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "on",
        JsonValueKind.False => "off",
        _ => throw new BadInputException($"{key}: neither a text nor a number nor a list of these"),
    };

    /// <summary>UTF-8's byte order mark, which some editors write.</summary>
    private static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> json) =>
        json.Span.StartsWith((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf]) ? json[3..] : json;

    /// <summary>The parser's words, without its own place at their end.</summary>
    private static string Reason(JsonException e)
    {
        int place = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return (place < 0 ? e.Message : e.Message[..place]).TrimEnd('.');
    }
}

/// <summary>A test of a manifest.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Image">The image, relative to the manifest.</param>
/// <param name="Test">All else; its own name is not set yet.</param>
internal sealed record ManifestTest(string Name, string Image, TestCase Test);
