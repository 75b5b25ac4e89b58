using MiniVmm.Cpu;

namespace MiniVmm.Configuration;

/// <summary>
/// A CPU in the form of QEMU's <c>-cpu</c>: <c>MODEL[,+feature][,-feature][,feature=on|off][,level=N…]</c>. If a feature is
/// named several times, the last one counts. Properties: vendor, family, model, stepping, model-id, level, xlevel.
/// </summary>
public static class CpuText
{
    /// <summary>The user's model file; it need not exist.</summary>
    public static string UserModels
    {
        get
        {
            string? config = Environment.GetEnvironmentVariable("XDG_CONFIG_HOME");
            if (string.IsNullOrEmpty(config))
                config = Path.Combine(Environment.GetEnvironmentVariable("HOME") ?? "/", ".config");
            return Path.Combine(config, "minivmm", "cpu-models.json");
        }
    }

    /// <param name="text">A model and changes to it.</param>
    /// <param name="userFile">The user's model file, which need not exist; not opened for <c>host</c>.</param>
    /// <exception cref="BadInputException">There is no such model or feature, or a model file is bad.</exception>
    public static CpuSelection Parse(string text, string? userFile = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(',');
        string name = parts[0].Trim();
        if (name.Length == 0)
            throw new BadInputException($"{OptionName.Cpu}: no model; use host, or a model's name as in qemu64,+avx");
        CpuModel model = name == CpuModel.Host.Name ? CpuModel.Host : CpuModels.Load(userFile).Get(name);

        Dictionary<CpuFeature, bool> changes = [];
        foreach (string part in parts.Skip(1).Select(part => part.Trim()))
        {
            if (part.Length == 0)
                throw Bad(text, "an empty part; remove a comma");
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (part[0] is '+' or '-')
                changes[Feature(text, part[1..])] = part[0] == '+';
            else if (equals < 0)
                throw Bad(text, $"'{part}' says neither on nor off; use +{part} or -{part}");
            else if (WithProperty(text, model, part[..equals], part[(equals + 1)..]) is CpuModel changed)
                model = changed;
            else
                changes[Feature(text, part[..equals])] = Switch(text, part, part[(equals + 1)..]);
        }

        return new(text, model, [.. changes.Select(change => (change.Key, change.Value))]);
    }

    private static CpuFeature Feature(string text, string name) =>
        CpuFeatures.TryFind(name, out CpuFeature feature) ? feature : throw Bad(text, CpuFeatures.Unknown(name));

    private static bool Switch(string text, string part, string value) =>
        SwitchText.TryParse(value, out bool on) ? on : throw Bad(text, $"'{part}' is neither on nor off");

    private static CpuModel? WithProperty(string text, CpuModel model, string key, string value) => key switch
    {
        "vendor" => value.Length == 12 && value.All(char.IsAscii)
            ? model with { Vendor = value }
            : throw Bad(text, $"vendor '{value}' is not 12 ASCII characters, as in GenuineIntel"),
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
        CpuModels.TryNumber(value, out uint number) && number >= low && number <= high
            ? number
            : throw Bad(text, $"{key} '{value}' is not a number from {CpuModels.Hex(low)} to {CpuModels.Hex(high)}");

    private static BadInputException Bad(string text, string reason) => new($"{OptionName.Cpu.With(text)}: {reason}");
}
