using MiniVmm.Firmware;

namespace MiniVmm.Configuration;

/// <summary>
/// Who a machine says that it is, as QEMU has it: <c>type=1,manufacturer=…,product=…,version=…,serial=…,uuid=…,sku=…,family=…</c>, or
/// a text of its own, <c>type=11,value=TEXT</c>.
/// </summary>
public static class SmbiosText
{
    private const int MostTexts = 255; // a byte counts them
    private const string Shape = "type=1,KEY=TEXT,... with manufacturer, product, version, serial, uuid, sku, family; or type=11,value=TEXT";

    /// <summary>Whether a text sets what can be set: other types of structures tell of what the machine is.</summary>
    public static bool IsKnown(string text) => CommaList.Split(text) is [var first, ..] && first is "type=1" or "type=11";

    /// <summary>The identity with what a text sets.</summary>
    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static SmbiosIdentity Parse(SmbiosIdentity? before, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        SmbiosIdentity identity = before ?? new();
        List<string> parts = CommaList.Split(text);
        if (!IsKnown(text))
            throw Wrong(text, $"'{parts[0]}' cannot be set");
        bool isSystem = parts[0] == "type=1";
        for (int i = 1; i < parts.Count; i++)
        {
            int equals = parts[i].IndexOf('=', StringComparison.Ordinal);
            string value = parts[i][(equals + 1)..];
            if (value.AsSpan().ContainsAnyInRange('\0', '\x1f'))
                throw Wrong(text, $"'{parts[i]}' has a control character in it");
            identity = (isSystem, equals < 0 ? "" : parts[i][..equals]) switch
            {
                (true, "manufacturer") => identity with { Manufacturer = value },
                (true, "product") => identity with { Product = value },
                (true, "version") => identity with { Version = value },
                (true, "serial") => identity with { Serial = value },
                (true, "sku") => identity with { Sku = value },
                (true, "family") => identity with { Family = value },
                (true, "uuid") => identity with { Uuid = ParseUuid(text, value) },
                (false, "value") when value.Length == 0 => throw Wrong(text, "value= is empty"),
                (false, "value") when identity.OemStrings.Count == MostTexts => throw Wrong(text, $"{MostTexts} texts of type 11 are the most"),
                (false, "value") => identity with { OemStrings = [.. identity.OemStrings, value] },
                _ => throw Wrong(text, $"unknown '{parts[i]}'"),
            };
        }

        return identity;
    }

    private static Guid ParseUuid(string text, string value) => Guid.TryParseExact(value, "D", out Guid uuid)
        ? uuid
        : throw Wrong(text, $"'{value}' is no UUID, such as 6ba7b810-9dad-11d1-80b4-00c04fd430c8");

    private static BadInputException Wrong(string text, string what) =>
        new($"{OptionName.Smbios.With(text)}: {what}; it takes {Shape}");
}
