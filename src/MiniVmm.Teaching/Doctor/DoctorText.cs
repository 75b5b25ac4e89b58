using System.Globalization;
using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Doctor;

/// <summary>The report for people.</summary>
internal static class DoctorText
{
    private const int NameAt = 2;
    private const int StateAt = 26;
    private const int TextAt = 36;
    private const string Run = "    $ ";

    public static void Write(TextWriter output, DoctorReport report)
    {
        foreach (FindingGroup group in report.Groups)
        {
            output.WriteLine(group.Title);
            foreach (Finding finding in group.Findings)
                Write(output, finding);
            output.WriteLine();
        }

        if (report.Kvm.Capabilities.Count > 0)
        {
            WriteCapabilities(output, report.Kvm.Capabilities);
            output.WriteLine();
        }

        WriteVerdict(output, report);
    }

    private static void Write(TextWriter output, Finding finding)
    {
        string head = (new string(' ', NameAt) + finding.Name).PadRight(StateAt) + Finding.Word(finding.State);
        TextColumns.Wrap(output, head, TextAt, finding.Text);
        if (finding.Remedy is { } remedy)
            TextColumns.Wrap(output, "", TextAt, $"→ {remedy}");
        foreach (string command in finding.Commands)
            output.WriteLine(new string(' ', TextAt - 2) + Run + command);
    }

    private static void WriteCapabilities(TextWriter output, IReadOnlyList<(KvmCapability Capability, int Value)> answers)
    {
        output.WriteLine("capabilities (KVM_CHECK_EXTENSION)");
        output.WriteLine($"  {"number",6}  {"name",-37} {"answer",8}  what for");
        foreach (CapabilityPurpose purpose in CapabilityPurpose.All)
        {
            int value = answers.FirstOrDefault(answer => answer.Capability == purpose.Capability).Value;
            string number = ((int)purpose.Capability).ToString(CultureInfo.InvariantCulture);
            string answer = value == 0 ? "-" : value.ToString(CultureInfo.InvariantCulture);
            string head = $"  {number,6}  {purpose.Capability,-37} {answer,8}";
            TextColumns.Wrap(output, head, head.Length + 2, purpose.Use is { } use ? $"{purpose.Purpose} [{use}]" : purpose.Purpose);
        }

        output.WriteLine("  In brackets: what MiniVmm uses it for.");
    }

    private static void WriteVerdict(TextWriter output, DoctorReport report)
    {
        if (report.CanRun)
        {
            output.WriteLine(report.Kvm.Timing is { IsEmulated: true } ? "Guests can run here, their kernels slowly." : "Guests can run here.");
            return;
        }

        output.WriteLine("Guests cannot run here:");
        foreach (Finding finding in report.Groups.SelectMany(group => group.Findings).Where(finding => finding.State == FindingState.Fatal))
        {
            TextColumns.Wrap(output, "  ", 2, finding.Remedy is { } remedy ? $"{finding.Name}: {finding.Text}; {remedy}" : $"{finding.Name}: {finding.Text}");
            foreach (string command in finding.Commands)
                output.WriteLine(Run + command);
        }
    }
}
