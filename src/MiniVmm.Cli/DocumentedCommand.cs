using System.CommandLine;

namespace MiniVmm.Cli;

/// <summary>Options that belong together, as help and the manual page show them.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="Example">A command line that uses some of them.</param>
/// <param name="Options">In the order they are shown.</param>
internal sealed record OptionGroup(string Title, string Example, IReadOnlyList<Option> Options);

/// <summary>
/// A command whose options are given in groups: the one source of the parser, help, completion and manual page.
/// </summary>
internal abstract class DocumentedCommand(string name, string description) : Command(name, description)
{
    private readonly List<OptionGroup> _groups = [];

    public IReadOnlyList<OptionGroup> Groups => _groups;

    /// <summary>What help and the manual page have between arguments and options; asked for by them alone.</summary>
    public virtual IReadOnlyList<Section> Details => [];

    /// <summary>Adds options under a heading.</summary>
    protected void Group(string title, string example, params Option[] options)
    {
        foreach (Option option in options)
            Options.Add(option);
        _groups.Add(new OptionGroup(title, example, options));
    }
}
