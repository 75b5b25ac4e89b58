using System.Text.Json;
using MiniVmm.Host;

namespace MiniVmm.Measurement;

/// <summary>
/// What the host does about processor vulnerabilities; much of it is done on every exit
/// (Documentation/ABI/testing/sysfs-devices-system-cpu, /sys/devices/system/cpu/vulnerabilities).
/// </summary>
public sealed record HostMitigations
{
    private const string Folder = "/sys/devices/system/cpu/vulnerabilities";

    /// <summary>Each vulnerability and the kernel's text for it, by name; null where it could not be read.</summary>
    public IReadOnlyList<(string Name, string? Text)>? Vulnerabilities { get; init; }

    /// <summary>How many of each kind: "3 mitigated, 12 not affected, 1 vulnerable"; null if there are none.</summary>
    public string? Summary
    {
        get
        {
            string[] kinds = [.. (Vulnerabilities ?? []).Select(vulnerability => Kind(vulnerability.Text))];
            string summary = string.Join(
                ", ",
                from kind in (string[])["mitigated", "not affected", "vulnerable", "unknown"]
                let count = kinds.Count(k => k == kind)
                where count > 0
                select $"{count} {kind}");
            return summary.Length > 0 ? summary : null;
        }
    }

    public static HostMitigations Read(HostFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return new()
        {
            Vulnerabilities = files.List(Folder)?.Select(name => (name, files.ReadFact($"{Folder}/{name}"))).ToArray(),
        };
    }

    internal IEnumerable<(string Name, string Value)> Rows() => [("mitigations", Summary ?? "not readable")];

    internal void WriteJson(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("mitigations");
        writer.WriteString("summary", Summary);
        if (Vulnerabilities is null)
        {
            writer.WriteNull("vulnerabilities");
        }
        else
        {
            writer.WriteStartObject("vulnerabilities");
            foreach ((string name, string? text) in Vulnerabilities)
                writer.WriteString(name, text);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    // arch/x86/kernel/cpu/bugs.c: itlb_multihit speaks of KVM alone, and says "Processor vulnerable" without one.
    private static string Kind(string? text)
    {
        const string OfKvm = "KVM: ";
        if (text is null)
            return "unknown";
        if (text.StartsWith(OfKvm, StringComparison.Ordinal))
            text = text[OfKvm.Length..];
        return text.StartsWith("Mitigation", StringComparison.Ordinal) ? "mitigated"
            : text.StartsWith("Not affected", StringComparison.Ordinal) ? "not affected"
            : text.StartsWith("Vulnerable", StringComparison.Ordinal)
                || text.StartsWith("Processor vulnerable", StringComparison.Ordinal) ? "vulnerable"
            : "unknown";
    }
}
