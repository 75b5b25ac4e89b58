using System.Globalization;
using System.Text.Json;
using MiniVmm.Host;

namespace MiniVmm.Measurement;

/// <summary>
/// What /proc/cpuinfo says of the first processor: the others are taken to be alike. Null is what could not be read.
/// </summary>
public sealed record HostProcessor
{
    private static readonly string[] FieldNames =
        ["model name", "vendor_id", "cpu family", "model", "stepping", "microcode", "flags"];

    // The names of arch/x86/include/asm/cpufeatures.h that say how far a time taken with the TSC can be trusted.
    private static readonly string[] KnownTscFlags =
    [
        "constant_tsc", "nonstop_tsc", "tsc_reliable", "tsc_known_freq", "rdtscp", "tsc_deadline_timer", "tsc_adjust",
    ];

    public string? ModelName { get; init; }

    public string? Vendor { get; init; }

    public int? Family { get; init; }

    public int? Model { get; init; }

    public int? Stepping { get; init; }

    /// <summary>The microcode's revision as the kernel writes it, in hexadecimal; a guest's may be made up.</summary>
    public string? Microcode { get; init; }

    /// <summary>Whether a hypervisor says that it is under this host (CPUID leaf 1, ECX bit 31).</summary>
    public bool? Hypervisor { get; init; }

    /// <summary>Those of the TSC's flags that are present, in a fixed order.</summary>
    public IReadOnlyList<string>? TscFlags { get; init; }

    public static HostProcessor Read(HostFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        Dictionary<string, string> fields = FirstProcessor(files.ReadAllText("/proc/cpuinfo") ?? "");
        string[]? flags = fields.GetValueOrDefault("flags")?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return new()
        {
            ModelName = Text(fields, "model name"),
            Vendor = Text(fields, "vendor_id"),
            Family = Number(fields, "cpu family"),
            Model = Number(fields, "model"),
            Stepping = Number(fields, "stepping"),
            Microcode = Text(fields, "microcode"),
            Hypervisor = flags?.Contains("hypervisor"),
            TscFlags = flags is null ? null : [.. KnownTscFlags.Where(flag => flags.Contains(flag))],
        };
    }

    internal IEnumerable<(string Name, string Value)> Rows()
    {
        yield return ("processor", ModelName ?? Vendor ?? "not readable");
        if (Signature() is { Length: > 0 } signature)
            yield return ("signature", signature);
        if (Hypervisor is { } hypervisor)
            yield return ("hypervisor", hypervisor ? "yes: this host is itself a guest" : "none reported");
        if (TscFlags is not null)
            yield return ("TSC", TscFlags.Count > 0 ? string.Join(' ', TscFlags) : "none of its flags");
    }

    internal void WriteJson(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("processor");
        writer.WriteString("modelName", ModelName);
        writer.WriteString("vendor", Vendor);
        writer.WriteFact("family", Family);
        writer.WriteFact("model", Model);
        writer.WriteFact("stepping", Stepping);
        writer.WriteString("microcode", Microcode);
        writer.WriteFact("hypervisor", Hypervisor);
        writer.WriteFact("tscFlags", TscFlags);
        writer.WriteEndObject();
    }

    private static Dictionary<string, string> FirstProcessor(string text)
    {
        Dictionary<string, string> fields = [];
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            int colon = line.IndexOf(':');
            if (colon >= 0)
            {
                string name = line[..colon].Trim().ToString();
                if (FieldNames.Contains(name))
                    fields.TryAdd(name, line[(colon + 1)..].Trim().ToString());
            }
            else if (fields.Count > 0 && line.IsWhiteSpace())
            {
                break;
            }
        }

        return fields;
    }

    private static string? Text(Dictionary<string, string> fields, string name) =>
        fields.TryGetValue(name, out string? value) && HostFiles.Printable(value) is { Length: > 0 } text ? text : null;

    private static int? Number(Dictionary<string, string> fields, string name) =>
        fields.TryGetValue(name, out string? value)
        && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : null;

    private string Signature()
    {
        List<string> words = [];
        if (Vendor is not null)
            words.Add(Vendor);
        if (Family is not null)
            words.Add($"family {Family}");
        if (Model is not null)
            words.Add($"model {Model}");
        if (Stepping is not null)
            words.Add($"stepping {Stepping}");
        if (Microcode is not null)
            words.Add($"microcode {Microcode}");
        return string.Join(' ', words);
    }
}
