using System.Reflection;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MiniVmm.Measurement;

/// <summary>The program that measures, and what it runs on.</summary>
public sealed record MeasuringProgram
{
    /// <summary>MiniVmm's version, with the commit where the build knows it; "unknown" without one.</summary>
    public required string Version { get; init; }

    /// <summary>The .NET runtime's name and version.</summary>
    public required string Framework { get; init; }

    /// <summary>Whether its code was compiled ahead of time.</summary>
    public required bool NativeAot { get; init; }

    /// <summary>The garbage collector's: "workstation" or "server", and "concurrent" or "not concurrent".</summary>
    public required string GarbageCollector { get; init; }

    /// <summary>That of this process.</summary>
    public static MeasuringProgram Current => new()
    {
        Version = typeof(MeasuringProgram).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
        Framework = RuntimeInformation.FrameworkDescription,
        // A project that is published with Native AOT claims to have no dynamic code when it runs on the JIT too.
        NativeAot = !RuntimeFeature.IsDynamicCodeSupported && JitInfo.GetCompiledMethodCount() == 0,
        GarbageCollector = (GCSettings.IsServerGC ? "server, " : "workstation, ") + GCSettings.LatencyMode switch
        {
            GCLatencyMode.Batch => "not concurrent",
            GCLatencyMode.Interactive => "concurrent",
            GCLatencyMode mode => mode.ToString(),
        },
    };

    internal IEnumerable<(string Name, string Value)> Rows() =>
    [
        ("runtime", $"{Framework} {(NativeAot ? "AOT" : "JIT")}; GC: {GarbageCollector}"),
        ("MiniVmm", Version),
    ];

    internal void WriteJson(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("program");
        writer.WriteString("version", Version);
        writer.WriteString("framework", Framework);
        writer.WriteBoolean("nativeAot", NativeAot);
        writer.WriteString("garbageCollector", GarbageCollector);
        writer.WriteEndObject();
    }
}
