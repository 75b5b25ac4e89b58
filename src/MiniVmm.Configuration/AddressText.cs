using System.Globalization;
using MiniVmm.Boot;

namespace MiniVmm.Configuration;

/// <summary>Guest-physical addresses: hexadecimal behind 0x, else decimal.</summary>
public static class AddressText
{
    /// <exception cref="BadInputException">Not an address.</exception>
    public static ulong Parse(string text, OptionName option) => Read(text)
        ?? throw new BadInputException($"{option.With(text)}: not an address; use a number, as in 0x7c00");

    /// <summary>The text of <see cref="OptionName.Entry"/>, whatever it will turn out to mean.</summary>
    /// <exception cref="BadInputException">Nothing.</exception>
    public static EntryChoice ParseEntry(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length > 0
            ? new(text, Read(text))
            : throw new BadInputException($"{OptionName.Entry}: name an entry, or an address");
    }

    private static ulong? Read(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        bool isHexadecimal = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return ulong.TryParse(
            isHexadecimal ? text.AsSpan(2) : text,
            isHexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None,
            CultureInfo.InvariantCulture,
            out ulong address)
            ? address
            : null;
    }
}
