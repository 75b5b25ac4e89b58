using System.Text.Json;

namespace MiniVmm.Measurement;

/// <summary>A measurement as JSON, as docs/exits.schema.json describes it; every duration is in nanoseconds.</summary>
public static class ExitJson
{
    public const int Version = 1;

    public static void Write(ExitReport report, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(report);
        using Utf8JsonWriter writer = new(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        writer.WriteNumber("version", Version);
        writer.WritePropertyName("environment");
        report.Environment.WriteJson(writer);
        WriteSettings(writer, report.Settings);
        writer.WriteNumber("tscHertz", Math.Round(report.TscHertz));
        if (report.GuestInstruction is { } instruction)
            writer.WriteNumber("guestInstruction", Rounded(instruction));
        else
            writer.WriteNull("guestInstruction");
        writer.WriteBoolean("runsOnHardware", report.RunsOnHardware);
        writer.WriteStartObject("harness");
        WriteDistribution(writer, "host", report.HostHarness);
        WriteDistribution(writer, "guest", report.GuestHarness);
        writer.WriteEndObject();
        if (report.NoStatistics is { } why)
            writer.WriteString("noStatistics", why);
        writer.WriteStartArray("loops");
        foreach (LoopResult loop in report.Loops)
            WriteLoop(writer, loop);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteSettings(Utf8JsonWriter writer, MeasurementSettings settings)
    {
        writer.WriteStartObject("settings");
        writer.WriteNumber("count", settings.Count);
        writer.WriteNumber("warmup", settings.Warmup);
        writer.WriteNumber("rounds", settings.Rounds);
        writer.WriteNumber("seed", settings.Seed);
        writer.WriteStartArray("pin");
        foreach (int cpu in settings.Pin)
            writer.WriteNumberValue(cpu);
        writer.WriteEndArray();
        writer.WriteString("disturbance", Name(settings.Disturbance));
        writer.WriteEndObject();
    }

    private static void WriteLoop(Utf8JsonWriter writer, LoopResult result)
    {
        writer.WriteStartObject();
        writer.WriteString("name", result.Loop.Name);
        writer.WriteString("description", result.Loop.Description);
        writer.WriteString("clock", Name(result.Loop.Clock));
        if (result.Missing is null)
        {
            WriteDistribution(writer, "latency", result.Latency);
            if (result.Split is { } split)
            {
                writer.WriteStartObject("split");
                WriteDistribution(writer, "kvmRun", split.KvmRun);
                WriteDistribution(writer, "decode", split.Decode);
                WriteDistribution(writer, "serve", split.Serve);
                WriteDistribution(writer, "loop", split.Loop);
                WriteDistribution(writer, "own", split.Own);
                writer.WriteEndObject();
            }

            if (result.Guest is { } guest)
                WriteDistribution(writer, "guest", guest);
            writer.WriteStartArray("roundMedians");
            foreach (double median in result.RoundMedians)
                writer.WriteNumberValue(Rounded(median));
            writer.WriteEndArray();
            writer.WriteNumber("spread", Math.Round(result.Spread, 4));
            writer.WriteNumber("turns", result.Turns);
            writer.WriteNumber("allocatedBytes", result.AllocatedBytes);
            writer.WriteStartArray("kernelCounts");
            foreach (KernelCheck check in result.Checks)
                WriteCheck(writer, check);
            writer.WriteEndArray();
        }

        writer.WriteStartArray("remarks");
        foreach (string remark in result.Remarks)
            writer.WriteStringValue(remark);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteCheck(Utf8JsonWriter writer, KernelCheck check)
    {
        writer.WriteStartObject();
        writer.WriteString("counter", check.Counter);
        writer.WriteNumber("expected", check.Expected);
        if (check.Counted is { } counted)
            writer.WriteNumber("counted", counted);
        else
            writer.WriteNull("counted");
        writer.WriteEndObject();
    }

    private static void WriteDistribution(Utf8JsonWriter writer, string name, Distribution distribution)
    {
        writer.WriteStartObject(name);
        writer.WriteNumber("count", distribution.Count);
        writer.WriteNumber("min", Rounded(distribution.Min));
        foreach ((string percentile, double percent) in Distribution.Percentiles)
            writer.WriteNumber(percentile, Rounded(distribution.Percentile(percent)));
        writer.WriteNumber("max", Rounded(distribution.Max));
        writer.WriteNumber("mean", Rounded(distribution.Mean));
        writer.WriteEndObject();
    }

    /// <summary>A tenth of a nanosecond is less than a tick.</summary>
    private static double Rounded(double nanoseconds) => Math.Round(nanoseconds, 1);

    /// <summary>A clock as files and tables name it.</summary>
    public static string Name(LoopClock clock) => clock switch
    {
        LoopClock.Host => "host",
        LoopClock.Guest => "guest",
        LoopClock.Partner => "partner",
        _ => "call",
    };

    internal static string Name(Disturbance disturbance) => disturbance switch
    {
        Disturbance.Gc => "gc",
        Disturbance.Neighbour => "neighbour",
        _ => "none",
    };
}
