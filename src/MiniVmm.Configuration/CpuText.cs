using MiniVmm.Cpu;

namespace MiniVmm.Configuration;

/// <summary>
/// A CPU in the form of QEMU's <c>-cpu</c>: <c>MODEL[,+feature][,-feature][,feature][,feature=on|off][,property=value…]</c>.
/// If a feature is named several times, the last one counts. docs/processors.md lists the properties.
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
    /// <param name="userFile">The user's model file, which need not exist; not opened for <c>host</c> and <c>max</c>.</param>
    /// <exception cref="BadInputException">There is no such model, feature or property, or a model file is bad.</exception>
    public static CpuSelection Parse(string text, string? userFile = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text == CpuModel.Host.Name)
            return CpuSelection.Host;
        string[] parts = text.Split(',');
        string name = parts[0].Trim();
        if (name.Length == 0)
            throw new BadInputException($"{OptionName.Cpu}: no model; use host, or a model's name as in qemu64,+avx");
        CpuModel model = CpuModel.OfHost(name) ?? CpuModels.Load(userFile).Get(name);

        CpuSelection selection = new(text, model, []);
        Dictionary<CpuFeature, bool> changes = [];
        foreach (string part in parts.Skip(1).Select(part => part.Trim()))
        {
            if (part.Length == 0)
                throw Bad(text, "an empty part; remove a comma");
            if (part[0] is '+' or '-')
            {
                changes[Feature(text, part[1..])] = part[0] == '+';
                continue;
            }

            // As QEMU has it, a name alone switches it on.
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string key = (equals < 0 ? part : part[..equals]).Replace('_', '-');
            string value = equals < 0 ? "on" : part[(equals + 1)..];
            if (CpuPropertyText.TrySet(ref selection, key, value))
                continue;
            changes[Feature(text, key)] = SwitchText.TryParse(value, out bool on)
                ? on
                : throw Bad(text, $"'{part}' is neither on nor off");
        }

        HyperVText.Check(selection);
        return selection with { Changes = [.. changes.Select(change => (change.Key, change.Value))] };
    }

    private static CpuFeature Feature(string text, string name) =>
        CpuFeatures.TryFind(name, out CpuFeature feature) ? feature : throw Bad(text, CpuFeatures.Unknown(name));

    internal static BadInputException Bad(string text, string reason) => new($"{OptionName.Cpu.With(text)}: {reason}");
}
