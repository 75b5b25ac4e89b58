using System.Globalization;
using MiniVmm.Host;

namespace MiniVmm.Passthrough;

/// <summary>Names of vendors, devices and classes out of pci.ids, where the host has that file; null for what it lacks.</summary>
internal sealed class PciNames
{
    private const int MostBytes = 16 << 20; // the file had 1.4 MB in 2024

    private static readonly string[] Places =
    [
        "/var/lib/pciutils/pci.ids", // what update-pciids fetched
        "/usr/share/misc/pci.ids",
        "/usr/share/hwdata/pci.ids",
        "/usr/share/pci.ids",
    ];

    // By the digits as they stand in the file: "8086", "8086 100e"; classes as "C 01", "C 0108".
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);

    /// <summary>Reads the host's file, if there is one.</summary>
    public PciNames(HostFiles files)
        : this(Places.Select(place => files.ReadAllText(place, MostBytes)).FirstOrDefault(text => text is not null) ?? "")
    {
    }

    internal PciNames(string text)
    {
        // Vendors, then classes at "C 01"; a tab before what belongs to one, two before subsystems and interfaces.
        string above = "";
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (line.IsEmpty || line[0] == '#' || line.StartsWith("\t\t"))
                continue;
            bool isInner = line[0] == '\t';
            ReadOnlySpan<char> entry = isInner ? line[1..] : line;
            int end = entry.IndexOf("  ");
            if (end < 0)
                continue;
            string key = isInner ? $"{above}{entry[..end]}" : entry[..end].ToString();
            _names.TryAdd(key, HostFiles.Printable(entry[end..]));
            if (!isInner)
                above = key.StartsWith("C ", StringComparison.Ordinal) ? key : $"{key} ";
        }
    }

    public string? Vendor(ushort vendor) => Find($"{vendor:x4}");

    public string? Device(ushort vendor, ushort device) => Find($"{vendor:x4} {device:x4}");

    /// <summary>The subclass, or the class where that has no name.</summary>
    /// <param name="code">Class, subclass and programming interface, a byte each.</param>
    public string? Class(uint code) => Find($"C {code >> 8:x4}") ?? Find($"C {code >> 16:x2}");

    private string? Find(FormattableString key) => _names.GetValueOrDefault(key.ToString(CultureInfo.InvariantCulture));
}
