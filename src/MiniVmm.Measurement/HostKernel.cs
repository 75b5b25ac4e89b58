using System.Text.Json;
using MiniVmm.Host;

namespace MiniVmm.Measurement;

/// <summary>The host's kernel and its choices that time and memory depend on. Null is what could not be read.</summary>
public sealed record HostKernel
{
    /// <summary>As <c>uname -r</c> gives it.</summary>
    public string? Release { get; init; }

    /// <summary>As <c>uname -v</c> gives it: build number, preemption model, date.</summary>
    public string? Version { get; init; }

    /// <summary>The distribution's name for people (os-release(5), PRETTY_NAME).</summary>
    public string? Distribution { get; init; }

    /// <summary>What the kernel tells the time with: <c>tsc</c>, <c>kvm-clock</c>, <c>hpet</c>, …</summary>
    public string? Clocksource { get; init; }

    /// <summary>
    /// <c>always</c>, <c>madvise</c> or <c>never</c> (Documentation/admin-guide/mm/transhuge.rst).
    /// </summary>
    public string? TransparentHugePages { get; init; }

    public static HostKernel Read(HostFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return new()
        {
            Release = files.ReadFact("/proc/sys/kernel/osrelease"),
            Version = files.ReadFact("/proc/sys/kernel/version"),
            Distribution = PrettyName(files.ReadAllText("/etc/os-release"))
                ?? PrettyName(files.ReadAllText("/usr/lib/os-release")),
            Clocksource = files.ReadFact("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            TransparentHugePages = Bracketed(files.ReadFact("/sys/kernel/mm/transparent_hugepage/enabled")),
        };
    }

    internal IEnumerable<(string Name, string Value)> Rows()
    {
        yield return ("kernel", Release is null ? "not readable" : Version is null ? Release : $"{Release} {Version}");
        if (Distribution is not null)
            yield return ("distribution", Distribution);
        yield return ("clocksource", Clocksource ?? "not readable");
        if (TransparentHugePages is not null)
            yield return ("huge pages", $"transparent: {TransparentHugePages}");
    }

    internal void WriteJson(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("kernel");
        writer.WriteString("release", Release);
        writer.WriteString("version", Version);
        writer.WriteString("distribution", Distribution);
        writer.WriteString("clocksource", Clocksource);
        writer.WriteString("transparentHugePages", TransparentHugePages);
        writer.WriteEndObject();
    }

    private static string? PrettyName(string? osRelease)
    {
        const string Key = "PRETTY_NAME=";
        foreach (ReadOnlySpan<char> line in osRelease.AsSpan().EnumerateLines())
        {
            if (line.StartsWith(Key, StringComparison.Ordinal))
                return HostFiles.Printable(line[Key.Length..].Trim().Trim("\"'")) is { Length: > 0 } name ? name : null;
        }

        return null;
    }

    private static string? Bracketed(string? choices)
    {
        int open = choices?.IndexOf('[') ?? -1;
        int close = open < 0 ? -1 : choices!.IndexOf(']', open);
        return close > open + 1 ? choices![(open + 1)..close] : null;
    }
}
