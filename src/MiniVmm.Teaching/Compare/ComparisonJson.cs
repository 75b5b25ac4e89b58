using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Teaching.Compare;

/// <summary>A comparison for programs; docs/compare-qemu.md lists its members.</summary>
internal static class ComparisonJson
{
    public static void Write(Utf8JsonWriter writer, Comparison comparison)
    {
        writer.WriteStartObject();
        writer.WriteString("guest", comparison.Guest);
        Write(writer, "minivmm", comparison.MiniVmm);
        Write(writer, "qemu", comparison.Qemu);
        if (comparison.FirstDifferentLine is { } line)
            writer.WriteNumber("firstDifferentLine", line);
        else
            writer.WriteNull("firstDifferentLine");
        writer.WriteStartArray("calls");
        foreach ((string name, CallCount own, CallCount other) in ComparisonText.CallRows(comparison))
        {
            writer.WriteStartObject();
            writer.WriteString("name", name);
            Write(writer, "minivmm", own);
            Write(writer, "qemu", other);
            writer.WriteString("why", CallCause.Of(name, own, other));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("exits");
        foreach (ExitGroup group in comparison.Groups)
            Write(writer, group);
        writer.WriteEndArray();
        writer.WriteStartArray("vcpus");
        foreach (int vcpu in comparison.Vcpus)
            Write(writer, vcpu, comparison.Align(vcpu));
        writer.WriteEndArray();
        writer.WriteStartArray("notes");
        foreach (string remark in comparison.Remarks)
            writer.WriteStringValue(remark);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, string name, MonitorRun run)
    {
        writer.WriteStartObject(name);
        writer.WriteString("monitor", run.Monitor);
        writer.WriteString("end", run.End);
        if (run.Status is { } status)
            writer.WriteNumber("status", status);
        else
            writer.WriteNull("status");
        writer.WriteBoolean("timedOut", run.TimedOut);
        writer.WriteNumber("seconds", Math.Round(run.Length.TotalSeconds, 6));
        writer.WriteNumber("firmwareExits", run.Trace.FirmwareExits);
        writer.WriteNumber("kernelExits", run.Trace.Exits.Count - run.Trace.FirmwareExits);
        writer.WriteNumber("uncomparedExits", run.Trace.Dropped);
        writer.WriteNumber("gatheredWrites", run.Trace.Coalesced);
        writer.WriteNumber("nanosecondsInKvmRun", run.Trace.Exits.Sum(exit => exit.Ran));
        writer.WriteNumber("nanosecondsBetween", run.Trace.Exits.Sum(exit => exit.Took));
        writer.WriteString("output", run.Output);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, string name, CallCount count)
    {
        writer.WriteStartObject(name);
        writer.WriteNumber("before", count.Before);
        writer.WriteNumber("later", count.Later);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, ExitGroup group)
    {
        writer.WriteStartObject();
        writer.WriteString("place", group.Name);
        Write(writer, "minivmm", group.MiniVmm);
        Write(writer, "firmware", group.Firmware);
        Write(writer, "kernel", group.Kernel);
        Write(writer, "devices", group.MiniVmmDevices);
        Write(writer, "qemuDevices", group.QemuDevices);
        writer.WriteString("why", group.Why);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, string name, IEnumerable<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (string text in texts)
            writer.WriteStringValue(text);
        writer.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter writer, string name, ExitTimes times)
    {
        writer.WriteStartObject(name);
        writer.WriteNumber("count", times.Count);
        if (times.Median is { } median)
            writer.WriteNumber("medianNanoseconds", median);
        else
            writer.WriteNull("medianNanoseconds");
        writer.WriteNumber("sumNanoseconds", times.Sum);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, int vcpu, ExitAlignment alignment)
    {
        writer.WriteStartObject();
        writer.WriteNumber("vcpu", vcpu);
        if (alignment.GaveUpAt is { } row)
            writer.WriteNumber("alignedRows", row);
        else
            writer.WriteNumber("alignedRows", alignment.Rows.Count);
        writer.WriteStartArray("rows");
        foreach (AlignedRow aligned in alignment.Rows)
        {
            writer.WriteStartObject();
            writer.WriteString("mark", aligned.Mark.ToString(CultureInfo.InvariantCulture));
            writer.WriteString("minivmm", aligned.MiniVmm?.ToString());
            writer.WriteString("qemu", aligned.Qemu?.ToString());
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
