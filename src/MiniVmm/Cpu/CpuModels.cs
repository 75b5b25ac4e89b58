using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Cpu;

/// <summary>The CPU models there are: the built-in file's, extended and overridden by the user's.</summary>
internal sealed class CpuModels
{
    internal const uint MaxFamily = 0xF + 0xFF;
    internal const uint MaxModel = 0xFF;
    internal const uint MaxStepping = 0xF;
    internal const uint MaxLevel = 0xFF;
    internal const uint MaxXLevel = 0x800000FF;
    internal const int ModelIdLength = 48;

    private const int MaxFileSize = 1 << 20;
    private const string BuiltInFile = "cpu-models.json";

    private readonly Dictionary<string, CpuModel> _models = new(StringComparer.Ordinal);

    private CpuModels(byte[]? userBytes, string userFile)
    {
        using Stream stream = typeof(CpuModels).Assembly.GetManifestResourceStream(BuiltInFile)!;
        Add(ReadAll(stream), BuiltInFile);
        if (userBytes is not null)
            Add(userBytes, userFile);
    }

    /// <summary>Names in the files' order, the host's first.</summary>
    public IEnumerable<CpuModel> All => [CpuModel.Host, CpuModel.Max, .. _models.Values];

    /// <summary>Reads the built-in models and the user's.</summary>
    /// <param name="userFile">A file like cpu-models.json; null or a file that is not there for none.</param>
    /// <exception cref="BadInputException">The file cannot be read or is not of that form.</exception>
    public static CpuModels Load(string? userFile = null)
    {
        byte[]? bytes = null;
        if (userFile is not null && File.Exists(userFile))
        {
            try
            {
                using FileStream stream = File.OpenRead(userFile);
                bytes = ReadAll(stream);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new BadInputException($"{userFile}: cannot be read: {error.Message}", error);
            }

            if (bytes.Length > MaxFileSize)
                throw new BadInputException($"{userFile}: over {ByteSize.Format(MaxFileSize)}, not a CPU model file");
        }

        return new(bytes, userFile ?? "");
    }

    /// <summary>Reads the built-in models and a user's file that is already in memory.</summary>
    /// <param name="userJson">The file's bytes.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="BadInputException">Not a model file.</exception>
    public static CpuModels Parse(byte[] userJson, string name)
    {
        ArgumentNullException.ThrowIfNull(userJson);
        return new(userJson, name);
    }

    /// <summary>The model of that name.</summary>
    /// <exception cref="BadInputException">There is none; the message names the closest.</exception>
    public CpuModel Get(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (CpuModel.OfHost(name) is { } host)
            return host;
        if (_models.TryGetValue(name, out CpuModel? model))
            return model;
        string meant = Closest(name) is { } closest ? $"did you mean {closest}? " : "";
        throw new BadInputException($"{OptionName.Cpu.With(name)}: no such model; {meant}{OptionName.Cpu.With("help")} lists them");
    }

    internal static string Hex(uint number) => number < 0x10000 ? $"{number}" : $"0x{number:x}";

    /// <summary>Decimal, or hexadecimal after 0x.</summary>
    internal static bool TryNumber(string text, out uint number) =>
        text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
        ? uint.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
        : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private string? Closest(string name) =>
        _models.Keys.FirstOrDefault(known => known.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? Spelling.Closest(name, All.Select(model => model.Name));

    private void Add(byte[] json, string file)
    {
        CpuModelFile content;
        try
        {
            content = JsonSerializer.Deserialize(json, CpuModelJson.Default.CpuModelFile)
                ?? throw new BadInputException($"{file}: null is no CPU model file");
        }
        catch (JsonException error)
        {
            throw new BadInputException($"{file}{Line(error)}: {Reason(error)}", error);
        }

        Dictionary<string, CpuModelEntry> entries = new(StringComparer.Ordinal);
        foreach (CpuModelEntry? entry in content.Models)
        {
            if (entry is null)
                throw new BadInputException($"{file}: a model is null");
            if (string.IsNullOrWhiteSpace(entry.Name) || entry.Name.Contains(',', StringComparison.Ordinal))
                throw new BadInputException($"{file}: '{entry.Name}' cannot be a model's name");
            if (CpuModel.OfHost(entry.Name) is not null)
                throw new BadInputException($"{file}: the model '{entry.Name}' is built in and cannot be replaced");
            if (!entries.TryAdd(entry.Name, entry))
                throw new BadInputException($"{file}: there are two models called '{entry.Name}'");
        }

        // Resolved apart from _models, so that a model extending its own name finds the one it replaces.
        Dictionary<string, CpuModel> resolved = new(StringComparer.Ordinal);
        foreach (CpuModelEntry entry in entries.Values)
            Resolve(entry, entries, resolved, file);
        foreach ((string name, CpuModel model) in resolved)
            _models[name] = model;
    }

    private CpuModel Resolve(
        CpuModelEntry entry,
        Dictionary<string, CpuModelEntry> entries,
        Dictionary<string, CpuModel> resolved,
        string file)
    {
        Stack<CpuModelEntry> chain = new([entry]);
        CpuModel? model = null;
        while (chain.Peek().Extends is string name && model is null)
        {
            if (resolved.TryGetValue(name, out model))
                break;
            if (CpuModel.OfHost(name) is { } host)
                model = host;
            else if (name != chain.Peek().Name && entries.TryGetValue(name, out CpuModelEntry? parent))
            {
                if (chain.Contains(parent))
                    throw new BadInputException($"{file}: model '{entry.Name}' extends itself by way of '{name}'");
                chain.Push(parent);
            }
            else if (!_models.TryGetValue(name, out model))
                throw new BadInputException($"{file}: model '{chain.Peek().Name}' extends '{name}', which is nowhere");
        }

        while (chain.TryPop(out CpuModelEntry? next))
            resolved[next.Name] = model = Extend(model, next, file);
        return model!;
    }

    private static CpuModel Extend(CpuModel? from, CpuModelEntry entry, string file)
    {
        if (from is { IsHost: true })
            throw new BadInputException($"{file}: model '{entry.Name}' cannot extend host; use {OptionName.Cpu.With("host,+feature")}");
        IEnumerable<CpuFeature> features = (from?.Features ?? [])
            .Except(entry.Without ?? [])
            .Union(entry.Features ?? []);
        return new()
        {
            Name = entry.Name,
            Description = entry.Description ?? entry.ModelId ?? from?.Description ?? "",
            Vendor = entry.Vendor ?? from?.Vendor,
            Family = entry.Family ?? from?.Family,
            Model = entry.Model ?? from?.Model,
            Stepping = entry.Stepping ?? from?.Stepping,
            ModelId = entry.ModelId ?? from?.ModelId,
            Level = entry.Level ?? from?.Level,
            XLevel = entry.XLevel ?? from?.XLevel,
            Caches = entry.Caches ?? from?.Caches,
            Features = [.. features],
        };
    }

    private static byte[] ReadAll(Stream stream)
    {
        // One byte past the limit tells a file that is too long; a device never ends.
        using MemoryStream bytes = new();
        byte[] buffer = new byte[4096];
        while (bytes.Length <= MaxFileSize && stream.Read(buffer) is > 0 and int read)
            bytes.Write(buffer, 0, read);
        return bytes.ToArray();
    }

    private static string Line(JsonException error) => error.LineNumber is long line ? $", line {line + 1}" : "";

    // The serializer appends " Path: … | LineNumber: …" to its own and to our messages.
    private static string Reason(JsonException error)
    {
        int end = error.Message.IndexOf(" Path: ", StringComparison.Ordinal);
        if (end < 0)
            end = error.Message.IndexOf(" LineNumber: ", StringComparison.Ordinal);
        return end < 0 ? error.Message : error.Message[..end].TrimEnd('.', ' ');
    }
}
