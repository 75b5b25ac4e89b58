using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using MiniVmm.Cli.Output;
using MiniVmm.Diagnostics;
using MiniVmm.Host;

namespace MiniVmm.Cli;

/// <summary>Parses and runs, with one line and the right status for whatever goes wrong.</summary>
internal static class CommandLine
{
    // QEMU's long options have one dash, so a cluster of one-letter options cannot be one too. And a kernel's command
    // line may start with @, so that @ cannot name a file of arguments.
    private static readonly ParserConfiguration Configuration =
        new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };

    /// <summary>What <c>--help</c> is called too.</summary>
    public static string[] HelpAliases => ["-h", "-?"];

    /// <summary>Runs <c>minivmm run</c>, what a machine's own process understands, and leaves its <c>--help</c> to minivmm-tools.</summary>
    /// <returns>The exit status.</returns>
    /// <exception cref="BadInputException">The arguments make no sense.</exception>
    public static int RunMachine(Milestones milestones, string[] args)
    {
        // The library's own root and help ask by reflection for the program's name and for translated texts: 840,000 of the five
        // million instructions of a start.
        Option<bool> help = new("--help", HelpAliases) { Recursive = true };
        Command root = new("minivmm") { help, new RunCommand(milestones) };
        ParseResult result = Parse(root, args);
        return result.GetResult(help) is { Implicit: false } ? ToolsProgram.Become() : Invoke(result);
    }

    public static ParseResult Parse(Command root, string[] args) =>
        root.Parse(OptionSpelling.Normalize(root, args), Configuration);

    /// <summary>What the parser could not make sense of; null if it could.</summary>
    public static string? Problem(ParseResult result) =>
        result.Action is null or ParseErrorAction ? Explain(result) : null;

    /// <summary>Runs the command that the arguments name.</summary>
    /// <param name="result">The arguments.</param>
    /// <returns>The exit status.</returns>
    /// <exception cref="BadInputException">They make no sense.</exception>
    public static int Invoke(ParseResult result)
    {
        if (Problem(result) is { } problem)
            throw new BadInputException($"{problem}; see {Help(result.CommandResult)}");
        return result.Invoke(new InvocationConfiguration
        {
            Output = Standard.Output,
            Error = Standard.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        });
    }

    /// <summary>Does the program's work, and says in a line what ended it early.</summary>
    /// <param name="work">Returns the exit status.</param>
    /// <returns>The exit status.</returns>
    public static int Run(Func<int> work)
    {
        try
        {
            StandardDescriptors.Complete();
            return work();
        }
        catch (VmmException e)
        {
            Messages.Error(e.Text);
            return ExitStatus.Of(e);
        }
        catch (SystemCallException e)
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
        for (SymbolResult? at = command; at is CommandResult { Parent: not null } part; at = at.Parent)
            words = $"{part.Command.Name} {words}";
        return $"minivmm {words}";
    }

    /// <summary>An unknown option is named before the value behind it.</summary>
    private static string Explain(ParseResult result)
    {
        IEnumerable<string> taken = result.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens).Select(token => token.Value);
        if (taken.Concat(result.UnmatchedTokens).FirstOrDefault(word => word is ['-', _, ..]) is { } option)
            return $"unknown option {option}";
        if (result.UnmatchedTokens.Count > 0 && OptionTakenForAValue(result.CommandResult) is { } missing)
            return missing;
        return (result.UnmatchedTokens, result.Errors, result.CommandResult.Command) switch
        {
            ([string word, ..], _, RootCommand) when File.Exists(word) => $"no command is called '{word}'; to boot it: minivmm run {word}",
            ([string word, ..], _, RootCommand) => $"no command is called '{word}'",
            ([string word, ..], _, _) => $"'{word}' is one word too many",
            (_, [ParseError error, ..], _) => error.Message.TrimEnd('.'),
            _ => "nothing to do",
        };
    }

    /// <summary>In <c>--mem --smp 2 FILE</c> the value that is missing is at fault, not FILE.</summary>
    private static string? OptionTakenForAValue(CommandResult command)
    {
        foreach (SymbolResult child in command.Children)
        {
            if (child is OptionResult { Tokens: [{ Value: ['-', ..] value }, ..] } taken && OptionSpelling.IsOption(command.Command, value))
                return $"{taken.Option.Name}: no value stands between it and {value}";
        }

        return null;
    }
}
