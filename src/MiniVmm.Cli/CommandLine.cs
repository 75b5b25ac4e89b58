using System.CommandLine;
using System.CommandLine.Parsing;
using MiniVmm.Kvm;

namespace MiniVmm.Cli;

/// <summary>Parses and runs, with one line and the right status for whatever goes wrong.</summary>
internal static class CommandLine
{
    public static int Invoke(RootCommand root, string[] args)
    {
        // QEMU's long options have one dash, so a cluster of one-letter options cannot be one too.
        ParseResult result = root.Parse(args, new ParserConfiguration { EnablePosixBundling = false });
        if (result.Action is null or { Terminating: false } && result.Errors.Count > 0)
        {
            ParseError error = result.Errors[0];
            Messages.Error($"{error.Message.TrimEnd('.')}; see minivmm {result.CommandResult.Command.Name} --help".Replace("minivmm minivmm", "minivmm", StringComparison.Ordinal));
            return ExitStatus.BadInput;
        }

        try
        {
            return result.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (VmmException e)
        {
            Messages.Error(e.Message);
            return e.Status;
        }
        catch (KvmException e)
        {
            Messages.Error(e.Message);
            return ExitStatus.HostLimit;
        }
    }
}
