using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Teaching.Doctor;

namespace MiniVmm.Tools;

/// <summary><c>minivmm doctor</c>: whether guests can run on this host, and what would make it a better one.</summary>
internal sealed class DoctorCommand : DocumentedCommand
{
    private readonly Option<bool> _json = new("--json") { Description = "Write JSON instead of text" };

    public DoctorCommand()
        : base("doctor", "Say whether guests can run on this host, what its KVM can, and what to do about the rest")
    {
        Group("Output", "minivmm doctor --json", _json);
        SetAction(Run);
    }

    public override IReadOnlyList<Section> Details =>
    [
        new("Exit status",
        [
            new("0", "Guests can run"),
            new("4", "They cannot"),
        ]),
    ];

    private int Run(ParseResult line)
    {
        DoctorReport report = DoctorReport.Of(DoctorHost.Look());
        if (line.GetValue(_json))
            Answers.WriteJson(writer => DoctorJson.Write(writer, report));
        else
            DoctorText.Write(Standard.Output, report);
        return report.CanRun ? ExitStatus.Success : ExitStatus.HostLimit;
    }
}
