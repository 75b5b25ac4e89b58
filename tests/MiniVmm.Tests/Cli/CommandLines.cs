using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Diagnostics;
using MiniVmm.Tools;

namespace MiniVmm.Tests.Cli;

/// <summary>The program's commands, and what it makes of a command line.</summary>
internal static class CommandLines
{
    public static RootCommand Root { get; } = ToolsCommands.Create(new Milestones());

    /// <summary>Parses one that makes sense.</summary>
    public static ParseResult Parse(params string[] arguments)
    {
        ParseResult result = CommandLine.Parse(Root, arguments);
        Assert.True(
            CommandLine.Problem(result) is null,
            $"{string.Join(' ', arguments)}: {CommandLine.Problem(result)}");
        return result;
    }

    /// <summary>What is wrong with one; null if nothing is.</summary>
    public static string? Problem(params string[] arguments) =>
        CommandLine.Problem(CommandLine.Parse(Root, arguments));
}
