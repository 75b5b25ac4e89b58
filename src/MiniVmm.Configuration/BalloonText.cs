using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Configuration;

/// <summary>A balloon: <c>[SIZE][,deflate-on-oom=on|off][,reporting=on|off]</c>; an empty text is one of size 0.</summary>
public static class BalloonText
{
    private const string Shape = "[SIZE][,deflate-on-oom=on|off][,reporting=on|off]";

    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static BalloonOptions Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        BalloonOptions options = new();
        HashSet<string> given = new(StringComparer.Ordinal);
        string[] parts = text.Length == 0 ? [] : text.Split(',');
        for (int i = 0; i < parts.Length; i++)
        {
            int equals = parts[i].IndexOf('=', StringComparison.Ordinal);
            if (i == 0 && equals < 0)
            {
                options = options with { Size = SizeText.Parse(parts[i], OptionName.Balloon) };
                continue;
            }

            string value = parts[i][(equals + 1)..];
            string key = equals < 0 ? parts[i] : parts[i][..equals];
            if (!given.Add(key))
                throw Bad(text, $"{key} is given twice");
            options = key switch
            {
                "deflate-on-oom" => options with { DeflateOnOom = Switch(text, parts[i], value) },
                "reporting" => options with { Reporting = Switch(text, parts[i], value) },
                _ => throw Bad(text, $"unknown '{parts[i]}'; {OptionName.Balloon} takes {Shape}"),
            };
        }

        return options;
    }

    private static bool Switch(string text, string part, string value) => SwitchText.TryParse(value, out bool on)
        ? on
        : throw Bad(text, $"'{part}' is neither on nor off; {OptionName.Balloon} takes {Shape}");

    private static BadInputException Bad(string text, OptionMessage complaint) =>
        new($"{OptionName.Balloon.With(text)}: {complaint}");
}
