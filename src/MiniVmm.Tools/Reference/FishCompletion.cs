using System.CommandLine;
using MiniVmm.Cli;

namespace MiniVmm.Tools.Reference;

/// <summary>A completion script for fish.</summary>
internal static class FishCompletion
{
    private const string Complete = "complete -c minivmm";

    public static IEnumerable<string> Script(Command root)
    {
        string[] lines =
        [
            "# fish completion for minivmm; written by: minivmm completion fish",
            "function __minivmm_machines; minivmm ps 2>/dev/null | sed -e 1d -e 's/ .*//'; end",
            $"{Complete} -f",
            .. CommandPage.Tree(root).SelectMany(Command),
        ];
        return lines;
    }

    private static IEnumerable<string> Command(Command command)
    {
        string condition = Condition(command);
        foreach (Command inner in command.Subcommands.Where(inner => !inner.Hidden))
            yield return $"{Complete} -n '{condition}' -a {inner.Name} -d {Quote(inner.Description ?? "")}";
        foreach (Option option in CommandPage.Options(command))
            yield return $"{Complete} -n '{condition}'{Names(option)}{Value(option)} -d {Quote(option.Description ?? "")}";
        foreach (Argument argument in command.Arguments)
        {
            ValueSyntax value = ValueSyntax.Of(argument);
            yield return $"{Complete} -n '{condition}'{(value.Files ? " -F" : "")}{Words(value)}";
        }
    }

    /// <summary>True behind this command's name and before one of a command below it.</summary>
    private static string Condition(Command command)
    {
        IEnumerable<string> inner = command.Subcommands.Select(one => one.Name);
        string not = inner.Any() ? $"not __fish_seen_subcommand_from {string.Join(' ', inner)}" : "";
        string own = command is RootCommand ? "" : $"__fish_seen_subcommand_from {command.Name}";
        return string.Join("; and ", new[] { own, not }.Where(part => part.Length > 0));
    }

    private static string Names(Option option) => string.Concat(CommandPage.Names(option)
        .Concat(OptionSpelling.QemuNames(option))
        .Select(name => name switch
        {
            ['-', '-', ..] => $" -l {name[2..]}",
            ['-', '?'] => " -s '?'",
            ['-', _] => $" -s {name[1..]}",
            _ => $" -o {name[1..]}",
        }));

    private static string Value(Option option)
    {
        if (ValueSyntax.Of(option) is not { } value)
            return "";
        string required = option.Arity.MinimumNumberOfValues == 0 ? "" : " -r";
        return $"{required}{(value.Files ? " -F" : " -f")}{Words(value)}";
    }

    private static string Words(ValueSyntax value)
    {
        List<string> words = [.. value.Words];
        if (value.Directories)
            words.Add("(__fish_complete_directories)");
        if (value.Machines)
            words.Add("(__minivmm_machines)");
        return words.Count > 0 ? $" -a {Quote(string.Join(' ', words))}" : "";
    }

    private static string Quote(string text) =>
        $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
