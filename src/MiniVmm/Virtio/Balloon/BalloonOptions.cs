namespace MiniVmm.Virtio.Balloon;

/// <summary>What <c>--balloon</c> says.</summary>
/// <param name="Size">Bytes of RAM that the guest is to leave to the host from the start.</param>
/// <param name="DeflateOnOom">Whether the guest may take pages back rather than end its processes.</param>
/// <param name="Reporting">Whether the guest tells which pages it has free, so that the host can have them.</param>
public sealed record BalloonOptions(ulong Size = 0, bool DeflateOnOom = true, bool Reporting = true)
{
    private const string Shape = "--balloon takes [SIZE][,deflate-on-oom=on|off][,reporting=on|off]";

    /// <summary>Reads <c>[SIZE][,deflate-on-oom=on|off][,reporting=on|off]</c>; all of it may be left out.</summary>
    /// <exception cref="BadInputException">Something else.</exception>
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
                options = options with { Size = ByteSize.Parse(parts[i], "--balloon") };
                continue;
            }

            string value = parts[i][(equals + 1)..];
            string key = equals < 0 ? parts[i] : parts[i][..equals];
            if (!given.Add(key))
                throw new BadInputException($"--balloon {text}: {key} is given twice");
            options = key switch
            {
                "deflate-on-oom" => options with { DeflateOnOom = Switch(text, parts[i], value) },
                "reporting" => options with { Reporting = Switch(text, parts[i], value) },
                _ => throw new BadInputException($"--balloon {text}: '{parts[i]}' is not known; {Shape}"),
            };
        }

        return options;
    }

    private static bool Switch(string text, string part, string value) => value switch
    {
        "on" => true,
        "off" => false,
        _ => throw new BadInputException($"--balloon {text}: '{part}' is neither on nor off; {Shape}"),
    };
}
