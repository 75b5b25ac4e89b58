using System.CommandLine;
using System.Globalization;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Configuration;
using MiniVmm.Control;

namespace MiniVmm.Tools;

/// <summary><c>minivmm ctl NAME …</c>: looks at a running machine, or changes it.</summary>
internal sealed class CtlCommand : DocumentedCommand
{
    private readonly Argument<string> _name = new("NAME")
    {
        Description = "The machine's --name; minivmm ps lists those that are running",
    };
    private readonly Argument<string> _command = new("COMMAND") { Description = "One of the commands below" };
    private readonly Argument<string[]> _arguments = new("ARGUMENT")
    {
        HelpName = "ARGUMENT...",
        Arity = ArgumentArity.ZeroOrMore,
        Description = "What the command needs",
    };
    private readonly Option<bool> _json = new("--json") { Description = "Write the answer as JSON" };

    // Not subcommands, since a machine may be called `stats`, which the parser would take for one. And every start of the
    // program makes this command: the verbs are not touched before they are needed.
    public CtlCommand()
        : base("ctl", "Look at a running machine, or pause, resume, resize, power down or end it")
    {
        Arguments.Add(_name);
        Arguments.Add(_command);
        Arguments.Add(_arguments);
        Group("Output", "minivmm ctl web balloon 96M", _json);
        SetAction(Run);
    }

    public override IReadOnlyList<Section> Details =>
        [new("Commands", [.. ControlVerbs.All.Select(verb => new Entry(Syntax(verb), Explain(verb)))])];

    /// <summary>Reads a verb's arguments from the command line.</summary>
    /// <exception cref="BadInputException">One is missing, superfluous, or not of its kind.</exception>
    internal static VerbArguments Read(ControlVerb verb, IReadOnlyList<string> words)
    {
        VerbArguments arguments = new();
        for (int i = 0; i < verb.Arguments.Count; i++)
        {
            VerbArgument argument = verb.Arguments[i];
            if (i < words.Count)
                Set(arguments, argument, words[i], $"ctl {verb.Name}");
            else if (argument.IsRequired)
                throw new BadInputException($"ctl {verb.Name}: {argument.Word} is missing: {argument.Help}");
        }

        return words.Count <= verb.Arguments.Count
            ? arguments
            : throw new BadInputException($"ctl {verb.Name}: '{words[verb.Arguments.Count]}' is one word too many");
    }

    private static void Set(VerbArguments arguments, VerbArgument argument, string word, string subject) => _ = argument switch
    {
        SizeArgument size => arguments.Set(
            size,
            SizeText.TryParse(word, out ulong bytes, out string? problem)
                ? bytes
                : throw new BadInputException($"{subject} {word}: {problem}")),
        NumberArgument number => arguments.Set(
            number,
            long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
                ? value
                : throw new BadInputException($"{subject} {word}: {argument.Word} is a whole number")),
        TextArgument text => arguments.Set(
            text, word.Length > 0 ? word : throw new BadInputException($"{subject}: {argument.Word} is empty")),
        _ => throw new NotSupportedException($"{argument.GetType().Name} cannot be typed"),
    };

    private int Run(ParseResult line)
    {
        string command = line.GetValue(_command)!;
        ControlVerb verb = ControlVerbs.Find(ControlVerbs.All, command)
            ?? throw new BadInputException(
                $"ctl: there is no command '{command}'; use {ControlVerbs.Names(ControlVerbs.All)}");
        VerbArguments arguments = Read(verb, line.GetValue(_arguments) ?? []);
        using ControlClient client = ControlClient.Connect(line.GetValue(_name)!);
        VerbOutcome outcome = verb.Ask(client, arguments);
        if (line.GetValue(_json) && outcome.HasJson)
            Answers.WriteJson(outcome.WriteTo);
        else if (outcome.Line is { } text)
            Standard.Output.WriteLine(text);
        else if (outcome.Tables.Count > 0)
            Answers.Print(outcome.Tables);
        if (outcome.Shortfall is not { } shortfall)
            return ExitStatus.Success;
        Messages.Error($"ctl {client.Name} {verb.Name}: {shortfall}");
        return ExitStatus.HostLimit;
    }

    private static string Syntax(ControlVerb verb) => string.Join(' ', verb.Arguments
        .Select(argument => argument.IsRequired ? argument.Word : $"[{argument.Word}]").Prepend(verb.Name));

    private static string Explain(ControlVerb verb) =>
        string.Join("; ", verb.Arguments.Select(argument => $"{argument.Word}: {argument.Help}").Prepend(verb.Help));
}
