using System.Globalization;
using MiniVmm.Memory;

namespace MiniVmm.Configuration;

/// <summary>
/// Guest RAM: <c>SIZE[,max=SIZE]</c>, or in QEMU's spelling <c>[size=]SIZE[,maxmem=SIZE][,slots=N]</c>. MiniVmm has no
/// slots: their number is read and not used.
/// </summary>
public static class MemText
{
    private const string Shape = "SIZE[,max=SIZE]";

    /// <returns>The options with that size and most.</returns>
    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static MemoryOptions Parse(MemoryOptions options, string text)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(text);
        ulong? size = null;
        ulong? max = null;
        string[] parts = text.Split(',');
        HashSet<string> given = new(StringComparer.Ordinal);
        for (int i = 0; i < parts.Length; i++)
        {
            int equals = parts[i].IndexOf('=', StringComparison.Ordinal);
            string value = parts[i][(equals + 1)..];
            string key = equals >= 0 ? parts[i][..equals] : i == 0 ? "size" : parts[i];
            if (key == "maxmem")
                key = "max";
            if (!given.Add(key))
                throw Bad(text, $"{key} is given twice");
            switch (key)
            {
                case "size":
                    size = parts.Length == 1 ? SizeText.Parse(value, OptionName.Mem) : Size(text, parts[i], value);
                    break;
                case "max":
                    max = Size(text, parts[i], value);
                    break;
                case "slots" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _):
                    break;
                default:
                    throw Bad(text, $"unknown '{parts[i]}'; {OptionName.Mem} takes {Shape}");
            }
        }

        return options with
        {
            Size = size ?? throw Bad(text, $"no size; {OptionName.Mem} takes {Shape}"),
            Max = max,
        };
    }

    private static ulong Size(string text, string part, string value) =>
        SizeText.TryParse(value, out ulong bytes, out string? problem) ? bytes : throw Bad(text, $"'{part}': {problem}");

    private static BadInputException Bad(string text, OptionMessage complaint) =>
        new($"{OptionName.Mem.With(text)}: {complaint}");
}
