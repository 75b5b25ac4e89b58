using System.Globalization;

namespace MiniVmm.Cpu;

/// <summary>What <c>--cpu</c> asks for: a model, with features added and removed.</summary>
/// <param name="Text">As it was typed, for messages.</param>
/// <param name="Model">The model, with what the text says of its family, level and so on.</param>
/// <param name="Changes">Features switched on or off; each once.</param>
public sealed record CpuSelection(string Text, CpuModel Model, IReadOnlyList<(CpuFeature Feature, bool On)> Changes)
{
    /// <summary>Everything the host's KVM supports, what a guest gets when nothing is asked for.</summary>
    public static CpuSelection Host { get; } = new("host", CpuModel.Host, []);

    /// <summary>
    /// Reads QEMU's <c>-cpu</c>: <c>MODEL[,+feature][,-feature][,feature=on|off][,level=N…]</c>. Of several
    /// words on one feature the last counts. Properties: vendor, family, model, stepping, model-id, level, xlevel.
    /// </summary>
    /// <param name="text">What follows <c>--cpu</c>.</param>
    /// <param name="userFile">The user's model file, which need not exist; not opened for <c>host</c>.</param>
    /// <exception cref="BadInputException">No such model or feature, or a bad model file.</exception>
    public static CpuSelection Parse(string text, string? userFile = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(',');
        string name = parts[0].Trim();
        if (name.Length == 0)
            throw new BadInputException("--cpu: no model; write host, or a model's name as in qemu64,+avx");
        CpuModel model = name == CpuModel.Host.Name ? CpuModel.Host : CpuModels.Load(userFile).Get(name);

        Dictionary<CpuFeature, bool> changes = [];
        foreach (string part in parts.Skip(1).Select(part => part.Trim()))
        {
            if (part.Length == 0)
                throw Bad(text, "nothing between two commas");
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (part[0] is '+' or '-')
                changes[Feature(text, part[1..])] = part[0] == '+';
            else if (equals < 0)
                throw Bad(text, $"'{part}' says neither on nor off; write +{part} or -{part}");
            else if (WithProperty(text, model, part[..equals], part[(equals + 1)..]) is CpuModel changed)
                model = changed;
            else
                changes[Feature(text, part[..equals])] = Switch(text, part, part[(equals + 1)..]);
        }

        return new(text, model, [.. changes.Select(change => (change.Key, change.Value))]);
    }

    private static CpuFeature Feature(string text, string name) =>
        CpuFeatures.TryFind(name, out CpuFeature feature) ? feature : throw Bad(text, CpuFeatures.Unknown(name));

    private static bool Switch(string text, string part, string value) => value switch
    {
        "on" or "yes" or "true" => true,
        "off" or "no" or "false" => false,
        _ => throw Bad(text, $"'{part}' is neither on nor off"),
    };

    private static CpuModel? WithProperty(string text, CpuModel model, string key, string value) => key switch
    {
        "vendor" => value.Length == 12 && value.All(char.IsAscii)
            ? model with { Vendor = value }
            : throw Bad(text, $"vendor '{value}' is not 12 ASCII characters as in GenuineIntel"),
        "model-id" => value.Length <= CpuModels.ModelIdLength && value.All(char.IsAscii)
            ? model with { ModelId = value }
            : throw Bad(text, $"model-id is longer than {CpuModels.ModelIdLength} ASCII characters"),
        "family" => model with { Family = Number(text, key, value, 0, CpuModels.MaxFamily) },
        "model" => model with { Model = Number(text, key, value, 0, CpuModels.MaxModel) },
        "stepping" => model with { Stepping = Number(text, key, value, 0, CpuModels.MaxStepping) },
        "level" => model with { Level = Number(text, key, value, 1, CpuModels.MaxLevel) },
        "xlevel" => model with { XLevel = Number(text, key, value, 0x80000001, CpuModels.MaxXLevel) },
        _ => null,
    };

    private static uint Number(string text, string key, string value, uint low, uint high) =>
        TryNumber(value, out uint number) && number >= low && number <= high
            ? number
            : throw Bad(text, $"{key} '{value}' is not a number from {Hex(low)} to {Hex(high)}");

    internal static string Hex(uint number) => number < 0x10000 ? $"{number}" : $"0x{number:x}";

    /// <summary>Decimal, or hexadecimal after 0x.</summary>
    internal static bool TryNumber(string text, out uint number) =>
        text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
        ? uint.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
        : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static BadInputException Bad(string text, string reason) => new($"--cpu {text}: {reason}");
}
