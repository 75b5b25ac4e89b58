using MiniVmm.Host;

namespace MiniVmm.Cli;

/// <summary>
/// minivmm-tools, the program beside this one: it has every command, and answers every question about them. What a machine's
/// own process never needs would cost each machine some of its start and memory.
/// </summary>
internal static class ToolsProgram
{
    private const string Name = "minivmm-tools";

    /// <summary>Becomes it, with the same command line.</summary>
    /// <exception cref="HostLimitException">It cannot be run.</exception>
    public static int Become()
    {
        string path = Path.Combine(Path.GetDirectoryName(Environment.ProcessPath) ?? "/", Name);
        int error = Linux.Execute(path, Environment.GetCommandLineArgs());
        throw new HostLimitException($"{path}: cannot be run: {Errno.Explain(error)}; install it beside minivmm");
    }
}
