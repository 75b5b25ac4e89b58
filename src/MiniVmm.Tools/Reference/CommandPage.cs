using System.CommandLine;
using System.CommandLine.Help;
using MiniVmm.Cli;

namespace MiniVmm.Tools.Reference;

/// <summary>All that there is to say of a command, whoever formats it.</summary>
/// <param name="Path">As in <c>minivmm bench exits</c>.</param>
/// <param name="Description">A phrase without a full stop.</param>
/// <param name="Usage">The command line's form.</param>
/// <param name="Sections">Arguments, commands and options.</param>
internal sealed record CommandPage(string Path, string Description, string Usage, IReadOnlyList<Section> Sections)
{
    private const string Program = "minivmm";

    public static CommandPage Of(Command command)
    {
        string path = Words(command);
        List<Section> sections = [];
        if (command.Arguments.Count > 0)
        {
            sections.Add(new("Arguments",
                [.. command.Arguments.Select(argument => new Entry(Syntax(argument), argument.Description ?? ""))]));
        }

        IEnumerable<Command> commands = command.Subcommands.Where(inner => !inner.Hidden);
        if (commands.Any())
        {
            sections.Add(new("Commands",
                [.. commands.Select(inner => new Entry(inner.Name, inner.Description ?? ""))]));
        }

        if (command is DocumentedCommand documented)
        {
            sections.AddRange(documented.Details);
            sections.AddRange(documented.Groups.Select(group => new Section(
                group.Title,
                [.. group.Options.Where(option => !option.Hidden).Select(Describe)],
                group.Example)));
        }

        sections.Add(new("General", [.. General(command).Select(Describe)]));
        return new(path, command.Description ?? "", Form(command, path), sections);
    }

    /// <summary>A command and all below it, in their order.</summary>
    public static IEnumerable<Command> Tree(Command command) =>
        command.Subcommands.Where(inner => !inner.Hidden).SelectMany(Tree).Prepend(command);

    /// <summary>The options that the command understands.</summary>
    public static IEnumerable<Option> Options(Command command) =>
        command.Options.Concat(General(command)).Where(option => !option.Hidden).Distinct();

    /// <summary>The words that name it: <c>minivmm bench exits</c>.</summary>
    public static string Words(Command command) => command.Parents.OfType<Command>().FirstOrDefault() is { } parent
        ? $"{Words(parent)} {command.Name}"
        : Program;

    /// <summary>Short names, then the long one; -? is understood and not shown.</summary>
    public static IEnumerable<string> Names(Option option) =>
        option.Aliases.Where(name => name != "-?").Order(StringComparer.Ordinal).Append(option.Name);

    /// <summary>Options that no group has: --help, which all commands understand, and the root's own.</summary>
    private static IEnumerable<Option> General(Command command)
    {
        Command root = command;
        while (root.Parents.OfType<Command>().FirstOrDefault() is { } parent)
            root = parent;
        return root.Options.Where(option => root == command || option.Recursive);
    }

    private static string Form(Command command, string path)
    {
        if (command.Subcommands.Count > 0 && command.Arguments.Count == 0)
            return $"{path} [command] [options]";
        IEnumerable<string> arguments = command.Arguments
            .Select(argument => argument.Arity.MinimumNumberOfValues == 0 ? $"[{Syntax(argument)}]" : Syntax(argument));
        return string.Join(' ', [path, .. arguments, "[options]"]);
    }

    private static Entry Describe(Option option)
    {
        string value = option switch
        {
            HelpOption or VersionOption => "",
            { HelpName: not { } } => "",
            FormOption => $"[={option.HelpName}]",
            { Arity.MinimumNumberOfValues: 0 } => $" [{option.HelpName}]",
            _ => $" {option.HelpName}",
        };
        return new($"{string.Join(", ", Names(option))}{value}", $"{option.Description}{Default(option)}");
    }

    private static string Default(Option option) =>
        option.HasDefaultValue && option.GetDefaultValue() is string { Length: > 0 } text ? $" (default: {text})" : "";

    private static string Syntax(Argument argument) => argument.HelpName ?? argument.Name;
}
