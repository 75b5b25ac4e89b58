namespace MiniVmm.Configuration;

/// <summary>A switch, in QEMU's words, upper or lower case: on, yes, true or y; off, no, false or n.</summary>
public static class SwitchText
{
    /// <summary>What is wrong with any other text.</summary>
    public const string Problem = "use on or off";

    /// <exception cref="BadInputException">Neither on nor off.</exception>
    public static bool Parse(string text, OptionName option) => TryParse(text, out bool on)
        ? on
        : throw new BadInputException($"{option.With(text)}: {Problem}");

    /// <returns>False if the text means neither on nor off.</returns>
    public static bool TryParse(string text, out bool on)
    {
        ArgumentNullException.ThrowIfNull(text);
        bool? value = text.ToLowerInvariant() switch
        {
            "on" or "yes" or "true" or "y" => true,
            "off" or "no" or "false" or "n" => false,
            _ => null,
        };
        on = value ?? false;
        return value is not null;
    }
}
