using MiniVmm.Cpu;
using Spectre.Console;

namespace MiniVmm.Cli;

/// <summary><c>--cpu help</c>, and where a user's own models are kept.</summary>
internal static class CpuModelList
{
    /// <summary>The user's model file; it need not exist.</summary>
    public static string UserFile
    {
        get
        {
            string? config = Environment.GetEnvironmentVariable("XDG_CONFIG_HOME");
            if (string.IsNullOrEmpty(config))
                config = Path.Combine(Environment.GetEnvironmentVariable("HOME") ?? "/", ".config");
            return Path.Combine(config, "minivmm", "cpu-models.json");
        }
    }

    public static int Print()
    {
        Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumns("model", "description");
        foreach (CpuModel model in CpuModels.Load(UserFile).All)
            table.AddRow(Markup.Escape(model.Name), Markup.Escape(model.Description));
        IAnsiConsole console = Tables.StandardOutput();
        console.Write(table);
        console.WriteLine($"Own models: {UserFile}");
        return ExitStatus.Success;
    }
}
