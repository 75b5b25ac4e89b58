using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using MiniVmm.Kvm;

namespace MiniVmm.Cli;

/// <summary>Parses and runs, with one line and the right status for whatever goes wrong.</summary>
internal static class CommandLine
{
    public static int Invoke(RootCommand root, string[] args)
    {
        // QEMU's long options have one dash, so a cluster of one-letter options cannot be one too. And a kernel's
        // command line may start with @, so that @ cannot name a file of arguments.
        ParserConfiguration configuration = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };
        ParseResult result = root.Parse([.. args.Select(ToOwnSpelling)], configuration);
        if (result.Action is null or ParseErrorAction)
        {
            Messages.Error($"{Problem(result)}; see {Help(result.CommandResult)}");
            return ExitStatus.BadInput;
        }

        try
        {
            return result.Invoke(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
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
        catch (OperationCanceledException)
        {
            return ExitStatus.Interrupted; // whoever sent the signal knows
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Messages.Error(e.Message); // help on its way to a full disk or a closed descriptor, say
            return ExitStatus.HostLimit;
        }
        catch (TypeInitializationException e) when (e.InnerException is IOException inner)
        {
            Messages.Error(inner.Message); // no file left for the runtime's own pipe, by which it hears of signals
            return ExitStatus.HostLimit;
        }
        catch (OutOfMemoryException)
        {
            Messages.Error("the host has no memory or no thread left for MiniVmm itself");
            return ExitStatus.HostLimit;
        }
    }

    /// <summary>The command line that explains a command: <c>minivmm bench exits --help</c>.</summary>
    private static string Help(CommandResult command)
    {
        string words = "--help";
        for (SymbolResult? at = command; at is CommandResult { Command: not RootCommand } part; at = at.Parent)
            words = $"{part.Command.Name} {words}";
        return $"minivmm {words}";
    }

    /// <summary>QEMU's spelling of an option, as ours; not an alias, since help would show it instead.</summary>
    private static string ToOwnSpelling(string argument) => argument is
        "-smp" or "-cpu" or "-mem-path" or "-mem-prealloc" or "-kernel" or "-initrd" or "-append"
            ? "-" + argument
            : argument;

    /// <summary>What the parser could not make sense of; an unknown option before the value behind it.</summary>
    private static string Problem(ParseResult result)
    {
        IEnumerable<string> taken = result.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens).Select(token => token.Value);
        if (taken.Concat(result.UnmatchedTokens).FirstOrDefault(word => word is ['-', _, ..]) is { } option)
            return $"unknown option {option}";
        return (result.UnmatchedTokens, result.Errors, result.CommandResult.Command) switch
        {
            ([string word, ..], _, RootCommand) => $"no command is called '{word}'",
            ([string word, ..], _, _) => $"'{word}' is one word too many",
            (_, [ParseError error, ..], _) => error.Message.TrimEnd('.'),
            _ => "nothing to do",
        };
    }
}
