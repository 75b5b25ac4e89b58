using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Configuration;
using MiniVmm.Control;
using MiniVmm.Cpu;
using MiniVmm.Measurement;

namespace MiniVmm.Tools.Reference;

/// <summary>
/// What a shell can offer for a value, by the syntax that help shows: FILE and DIR are names of files, MODEL, KIND and
/// COMMAND are lists of ours, and small letters stand for themselves.
/// </summary>
/// <param name="Words">Values as they are written; those that end with = go on.</param>
/// <param name="Files">Whether any file will do.</param>
/// <param name="Directories">Whether any directory will do.</param>
/// <param name="Machines">Whether a running machine's name will do.</param>
internal sealed record ValueSyntax(IReadOnlyList<string> Words, bool Files, bool Directories, bool Machines)
{
    /// <summary>An option's value; null where it has none that is a word.</summary>
    public static ValueSyntax? Of(Option option) => option is { HelpName: { } syntax } and not FormOption ? Parse(syntax) : null;

    public static ValueSyntax Of(Argument argument)
    {
        ValueSyntax syntax = Parse(argument.HelpName ?? argument.Name);
        return syntax with
        {
            Files = syntax.Files || argument.Name == "KERNEL",
            Machines = argument.Name == "NAME",
        };
    }

    private static ValueSyntax Parse(string syntax)
    {
        List<string> words = [];
        bool files = false;
        bool directories = false;
        int end = syntax.IndexOf("[,", StringComparison.Ordinal);
        foreach (string alternative in (end < 0 ? syntax : syntax[..end]).Split('|'))
        {
            string word = alternative.Trim('"').Split('[', ' ')[0].TrimEnd('.');
            int equals = word.IndexOf('=', StringComparison.Ordinal);
            files |= word is "FILE" or "PATH";
            directories |= word == "DIR";
            if (word == "MODEL")
                words.AddRange(["help", .. CpuModels.Load(CpuText.UserModels).All.Select(model => model.Name)]);
            else if (word == "KIND")
                words.AddRange(["help", .. ExitLoop.All.Select(loop => loop.Name)]);
            else if (word == "COMMAND")
                words.AddRange(ControlVerbs.All.Select(verb => verb.Name));
            else if (word.Length > 0 && char.IsAsciiLetterLower(word[0]))
                words.Add(equals < 0 ? word : word[..(equals + 1)]);
        }

        return new(words, files, directories, Machines: false);
    }
}
