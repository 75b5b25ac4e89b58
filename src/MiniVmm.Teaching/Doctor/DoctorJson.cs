using System.Text.Json;
using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Doctor;

/// <summary>The report for programs; docs/doctor.md lists its members.</summary>
internal static class DoctorJson
{
    public static void Write(Utf8JsonWriter writer, DoctorReport report)
    {
        writer.WriteStartObject();
        writer.WriteBoolean("canRun", report.CanRun);
        if (report.Kvm.Timing is { } timing)
        {
            writer.WriteBoolean("emulatesSupervisorCode", timing.IsEmulated);
            writer.WriteNumber("supervisorNanoseconds", Math.Round(timing.Nanoseconds, 2));
        }
        else
        {
            writer.WriteNull("emulatesSupervisorCode");
            writer.WriteNull("supervisorNanoseconds");
        }

        writer.WriteStartArray("findings");
        foreach (FindingGroup group in report.Groups)
        {
            foreach (Finding finding in group.Findings)
                Write(writer, group.Title, finding);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("capabilities");
        foreach ((KvmCapability capability, int value) in report.Kvm.Capabilities)
            Write(writer, CapabilityPurpose.All.First(purpose => purpose.Capability == capability), value);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, string group, Finding finding)
    {
        writer.WriteStartObject();
        writer.WriteString("group", group);
        writer.WriteString("name", finding.Name);
        writer.WriteString("state", finding.State switch
        {
            FindingState.Good => "ok",
            FindingState.Fact => "fact",
            FindingState.Lacking => "lacking",
            FindingState.Disturbing => "disturbing",
            _ => "fatal",
        });
        writer.WriteString("text", finding.Text);
        writer.WriteString("remedy", finding.Remedy);
        writer.WriteStartArray("commands");
        foreach (string command in finding.Commands)
            writer.WriteStringValue(command);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, CapabilityPurpose purpose, int value)
    {
        writer.WriteStartObject();
        writer.WriteString("name", $"{purpose.Capability}");
        writer.WriteNumber("number", (int)purpose.Capability);
        writer.WriteNumber("value", value);
        writer.WriteString("purpose", purpose.Purpose);
        writer.WriteString("use", purpose.Use);
        writer.WriteEndObject();
    }
}
