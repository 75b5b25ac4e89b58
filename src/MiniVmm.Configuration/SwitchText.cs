namespace MiniVmm.Configuration;

/// <summary>A switch: on or off, yes or no, true or false.</summary>
public static class SwitchText
{
    /// <exception cref="BadInputException">None of them.</exception>
    public static bool Parse(string text, OptionName option)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.ToLowerInvariant() switch
        {
            "on" or "yes" or "true" => true,
            "off" or "no" or "false" => false,
            _ => throw new BadInputException($"{option.With(text)}: write on or off"),
        };
    }
}
