using System.CommandLine;
using MiniVmm.Cli;

namespace MiniVmm.Tools.Reference;

/// <summary>A completion script for bash that needs nothing but bash.</summary>
internal static class BashCompletion
{
    public static IEnumerable<string> Script(Command root)
    {
        Command[] commands = [.. CommandPage.Tree(root)];
        string[] lines =
        [
            "# bash completion for minivmm; written by: minivmm completion bash",
            "_minivmm() {",
            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= option= word i=1 given=0",
            "    COMPREPLY=()",
            "    # Readline takes = for a word of its own.",
            "    if [[ $cur == '=' ]]; then",
            "        cur=",
            "    elif [[ $prev == '=' ]]; then",
            "        prev=${COMP_WORDS[COMP_CWORD-2]}",
            "    fi",
            "    for (( ; i < COMP_CWORD; i++)); do",
            "        word=${COMP_WORDS[i]}",
            "        if [[ -n $option && $word != '=' ]]; then option=; continue; fi",
            "        case \"$command/$word\" in",
            .. commands.Skip(1).Select(command =>
                $"            '{Parent(command)}/{command.Name}') command='{Key(command)}' ;;"),
            .. commands.SelectMany(ValueOptions).Select(names => $"            {names}) option=$word ;;"),
            "            */-*|*/=) ;;",
            "            *) given=$((given + 1)) ;;",
            "        esac",
            "    done",
            "    case \"$command/$prev\" in",
            .. commands.SelectMany(OptionCases),
            "    esac",
            "    if [[ $cur == -* ]]; then",
            "        case $command in",
            .. commands.Select(command => $"            '{Key(command)}') _minivmm_words '{Names(command)}' ;;"),
            "        esac",
            "        return",
            "    fi",
            "    case \"$command/$given\" in",
            .. commands.SelectMany(ArgumentCases),
            "    esac",
            "}",
            "_minivmm_words() {",
            "    COMPREPLY+=($(compgen -W \"$1\" -- \"$cur\"))",
            "    [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null",
            "}",
            "_minivmm_files() {",
            "    local name",
            "    while IFS= read -r name; do COMPREPLY+=(\"$name\"); done < <(compgen \"$1\" -- \"$cur\")",
            "    compopt -o filenames 2>/dev/null",
            "}",
            "_minivmm_machines() {",
            "    _minivmm_words \"$(\"${COMP_WORDS[0]}\" ps 2>/dev/null | sed -e 1d -e 's/ .*//')\"",
            "}",
            "complete -F _minivmm minivmm",
        ];
        return lines;
    }

    /// <summary>Patterns of the options that swallow the word behind them.</summary>
    private static IEnumerable<string> ValueOptions(Command command) => CommandPage.Options(command)
        .Where(option => option.HelpName is not null && option.Arity.MinimumNumberOfValues > 0)
        .Select(option => Pattern(command, option));

    private static IEnumerable<string> OptionCases(Command command)
    {
        foreach (Option option in CommandPage.Options(command))
        {
            if (ValueSyntax.Of(option) is not { } value)
                continue;
            string offer = Offer(value);

            // A value that may be left out can be followed by another option.
            string end = option.Arity.MinimumNumberOfValues == 0 ? "[[ $cur == -* ]] || return" : "return";
            yield return $"        {Pattern(command, option)}) {offer}{end} ;;";
        }
    }

    private static IEnumerable<string> ArgumentCases(Command command)
    {
        bool hasCommands = command.Subcommands.Any(inner => !inner.Hidden);
        string commands = hasCommands ? $"_minivmm_words '{Subcommands(command)}'; " : "";
        if (hasCommands && command.Arguments.Count == 0)
            yield return $"        '{Key(command)}'/0) {commands};;";
        int position = 0;
        foreach (Argument argument in command.Arguments)
        {
            string offer = Offer(ValueSyntax.Of(argument));
            yield return $"        '{Key(command)}'/{position}) {(position == 0 ? commands : "")}{offer};;";
            if (argument.Arity.MaximumNumberOfValues > 1)
                yield return $"        '{Key(command)}'/*) {offer};;";
            position++;
        }
    }

    private static string Offer(ValueSyntax value) => string.Concat(
        value.Words.Count > 0 ? $"_minivmm_words '{string.Join(' ', value.Words)}'; " : "",
        value.Files ? "_minivmm_files -f; " : "",
        value.Directories ? "_minivmm_files -d; " : "",
        value.Machines ? "_minivmm_machines; " : "");

    private static string Pattern(Command command, Option option) =>
        string.Join('|', CommandPage.Names(option).Concat(OptionSpelling.QemuNames(option))
            .Select(name => $"'{Key(command)}/{name}'"));

    private static string Names(Command command) =>
        string.Join(' ', CommandPage.Options(command).Select(option => option.Name));

    private static string Subcommands(Command command) =>
        string.Join(' ', command.Subcommands.Where(inner => !inner.Hidden).Select(inner => inner.Name));

    /// <summary>"bench exits"; nothing for the root.</summary>
    private static string Key(Command command) => CommandPage.Words(command)["minivmm".Length..].TrimStart();

    private static string Parent(Command command) => Key(command.Parents.OfType<Command>().First());
}
