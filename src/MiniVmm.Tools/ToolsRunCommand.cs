using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Diagnostics;
using MiniVmm.Machine;
using MiniVmm.Teaching.Explain;

namespace MiniVmm.Tools;

/// <summary><c>minivmm run</c>, and the answers to what its options may ask.</summary>
internal sealed class ToolsRunCommand(Milestones milestones) : RunCommand(milestones)
{
    protected override int ListCpuModels() => CpuModelList.Print();

    protected override int Show(MachineRun run)
    {
        using MachinePlan plan = run.Plan();
        DryRun.Print(plan);
        return ExitStatus.Success;
    }

    protected override int Explain(MachineRun run, string form)
    {
        using Explanation explanation = new(ReadForm(form), run.Timeout, Standard.Output, Answers.WriteJson);
        run.Planned = explanation.Begin;
        run.Built = explanation.End;
        run.IsMadeOnly = !explanation.Runs;
        return ExitStatus.Of(run.Run());
    }

    private static ExplanationForm ReadForm(string text) => text switch
    {
        "text" => ExplanationForm.Text,
        "json" => ExplanationForm.Json,
        "c" => ExplanationForm.C,
        _ => throw new BadInputException($"--explain {text}: not text, c or json"),
    };
}
