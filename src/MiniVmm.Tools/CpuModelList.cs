using MiniVmm.Cli;
using MiniVmm.Configuration;
using MiniVmm.Cpu;
using Spectre.Console;

namespace MiniVmm.Tools;

/// <summary><c>--cpu help</c>.</summary>
internal static class CpuModelList
{
    public static int Print()
    {
        Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumns("model", "description");
        foreach (CpuModel model in CpuModels.Load(CpuText.UserModels).All)
            table.AddRow(Markup.Escape(model.Name), Markup.Escape(model.Description));
        IAnsiConsole console = Tables.StandardOutput();
        console.Write(table);
        console.WriteLine($"Own models: {CpuText.UserModels}");
        return ExitStatus.Success;
    }
}
