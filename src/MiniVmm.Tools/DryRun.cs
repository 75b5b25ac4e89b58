using MiniVmm.Cli.Output;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Teaching.Plan;
using Spectre.Console;

namespace MiniVmm.Tools;

/// <summary><c>--dry-run</c>: the machine that would be built, and why it would be so.</summary>
internal static class DryRun
{
    public static void Print(MachinePlan plan)
    {
        IAnsiConsole console = Tables.StandardOutput();
        Table facts = Tables.New("machine", "");
        foreach ((string word, string text) in plan.Facts)
            facts.AddRow(word, Markup.Escape(text));
        console.Write(facts);

        Table map = Tables.New("guest-physical", "size", "what");
        foreach ((GuestRange range, string what) in plan.Map)
            map.AddRow(range.ToString(), ByteSize.Format(range.Length), Markup.Escape(what));
        console.WriteLine();
        console.Write(map);
        console.WriteLine();
        PlanDetails.Write(Standard.Output, plan, Iasl.Disassemble);
    }
}
