using System.CommandLine;
using MiniVmm.Cli;

namespace MiniVmm.Tools.Reference;

/// <summary>A completion script for zsh: by eval, or as a file _minivmm in $fpath.</summary>
internal static class ZshCompletion
{
    public static IEnumerable<string> Script(Command root)
    {
        string[] lines =
        [
            "#compdef minivmm",
            "# zsh completion for minivmm; written by: minivmm completion zsh",
            .. CommandPage.Tree(root).Reverse().SelectMany(Function),
            "_minivmm_machines() {",
            "    compadd -- ${${(f)\"$(minivmm ps 2>/dev/null)\"}[2,-1]%% *}",
            "}",
            "if [[ $funcstack[1] == _minivmm ]]; then _minivmm \"$@\"; else compdef _minivmm minivmm; fi",
        ];
        return lines;
    }

    private static IEnumerable<string> Function(Command command)
    {
        Command[] inner = [.. command.Subcommands.Where(inner => !inner.Hidden)];
        yield return $"{Name(command)}() {{";
        yield return "    local curcontext=$curcontext state line";
        yield return "    _arguments -S -C \\";
        foreach (Option option in CommandPage.Options(command))
        {
            foreach (string name in CommandPage.Names(option).Concat(OptionSpelling.QemuNames(option)))
                yield return $"        {Quote(Specification(option, name))} \\";
        }

        foreach (Argument argument in command.Arguments.Where(_ => inner.Length == 0))
        {
            string colons = argument.Arity.MinimumNumberOfValues == 0 ? "::" : ":";
            string message = Plain(argument.HelpName ?? argument.Name);
            yield return $"        {Quote($"{colons}{message}:{Action(ValueSyntax.Of(argument))}")} \\";
        }

        if (inner.Length == 0)
        {
            yield return "        && return";
        }
        else
        {
            yield return "        '1: :->command' '*:: :->rest' && return";
            yield return "    case $state in";
            yield return "        command)";
            yield return "            local -a commands=(";
            foreach (Command one in inner)
                yield return $"                {Quote($"{one.Name}:{one.Description}")}";
            yield return "            )";
            yield return $"            _describe command commands{Besides(command)} ;;";
            yield return "        rest)";
            yield return "            case $words[1] in";
            foreach (Command one in inner)
                yield return $"                {one.Name}) {Name(one)} ;;";
            if (command.Arguments.Count > 0)
                yield return $"                *) {Action(ValueSyntax.Of(command.Arguments[0]))} ;;";
            yield return "            esac ;;";
            yield return "    esac";
        }

        yield return "}";
    }

    /// <summary>What may stand in the place of a command.</summary>
    private static string Besides(Command command) =>
        command.Arguments.Count == 0 ? "" : $"; {Action(ValueSyntax.Of(command.Arguments[0]))}";

    private static string Specification(Option option, string name)
    {
        string description = Plain(option.Description ?? "")
            .Replace("[", "\\[", StringComparison.Ordinal)
            .Replace("]", "\\]", StringComparison.Ordinal);
        string text = $"[{description}]";
        string repeat = option.Arity.MaximumNumberOfValues > 1 ? "*" : "";
        if (ValueSyntax.Of(option) is not { } value)
            return $"{repeat}{name}{text}";
        string colons = option.Arity.MinimumNumberOfValues == 0 ? "::" : ":";
        string equals = name.StartsWith("--", StringComparison.Ordinal) ? "=" : "";
        return $"{repeat}{name}{equals}{text}{colons}{Plain(option.HelpName!)}:{Action(value)}";
    }

    private static string Action(ValueSyntax value)
    {
        List<string> commands = [];
        if (value.Words.Count > 0)
            commands.Add($"compadd -- {string.Join(' ', value.Words)}");
        if (value.Files)
            commands.Add("_files");
        if (value.Directories)
            commands.Add("_files -/");
        if (value.Machines)
            commands.Add("_minivmm_machines");
        return commands.Count == 0 ? " " : $"{{ {string.Join("; ", commands)} }}"; // evaluated: zshcompsys(1), _arguments
    }

    private static string Name(Command command) => CommandPage.Words(command).Replace(' ', '_').Insert(0, "_");

    private static string Plain(string text) => text.Replace(":", "\\:", StringComparison.Ordinal);

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
