using System.CommandLine;
using System.Text;
using MiniVmm.Configuration;

namespace MiniVmm.Cli;

/// <summary>
/// Writes a command line so that the parser takes each option's value for just that, whatever is in it, and QEMU's
/// spelling of an option for ours. The options themselves say which of them have a value.
/// </summary>
internal static class OptionSpelling
{
    /// <summary>QEMU's options with a meaning here; no aliases, since help would show them.</summary>
    private static readonly string[] Qemu =
        ["-smp", "-cpu", "-mem-path", "-mem-prealloc", "-kernel", "-initrd", "-append", "-device", "-fw_cfg", "-bios", "-cdrom", "-fda", "-boot"];

    /// <summary>How QEMU spells an option; nothing where it has no such option.</summary>
    public static IEnumerable<string> QemuNames(Option option) => Qemu.Where(name => ToOwn(name) == option.Name);

    /// <summary>How a message of the library's names an option to whoever typed it: <c>--mem-path /dev/hugepages</c>.</summary>
    public static string Of(NamedOption option)
    {
        StringBuilder text = new("-");
        foreach (char letter in option.Name.ToString())
        {
            if (char.IsAsciiLetterUpper(letter))
                text.Append('-');
            text.Append(char.ToLowerInvariant(letter));
        }

        return option.Value is null ? text.ToString() : text.Append(' ').Append(option.Value).ToString();
    }

    /// <summary>Whether a word alone is an option of a command's, however it is spelt.</summary>
    public static bool IsOption(Command command, string word) => Find(command, ToOwn(word)) is not null || Debugger(command, word) is not null;

    /// <summary>The same arguments, each option joined to its value, as in <c>--append=-smp</c>.</summary>
    public static List<string> Normalize(Command command, ReadOnlySpan<string> arguments)
    {
        List<string> words = new(arguments.Length);
        for (int i = 0; i < arguments.Length; i++)
        {
            string word = arguments[i];
            if (word == "--")
            {
                words.AddRange(arguments[i..]);
                break;
            }

            if (Subcommand(command, word) is { } inner)
            {
                command = inner;
                words.Add(word);
                continue;
            }

            if (Debugger(command, word) is { } debugger)
            {
                words.Add(debugger);
                continue;
            }

            int equals = word.IndexOf('=', StringComparison.Ordinal);
            string name = ToOwn(equals < 0 ? word : word[..equals]);
            if (Find(command, name) is not { } option)
            {
                words.Add(word);
                continue;
            }

            string? value = equals < 0 ? null : word[(equals + 1)..];
            string? next = i + 1 < arguments.Length ? arguments[i + 1] : null;
            if (option.ValueType == typeof(bool))
            {
                words.Add(Switch(name, value, next));
                continue;
            }

            if (value is null && option is FormOption form)
                value = form.Usual;
            if (value is null && next is not null && TakesNext(option, next))
                value = arguments[++i];
            Add(words, name, value);
        }

        return words;
    }

    /// <summary>A switch as .NET has it. The parser takes a kernel called "true" for its value, if it has none of its own.</summary>
    private static string Switch(string name, string? value, string? next)
    {
        if (value is null)
            return bool.TryParse(next, out _) ? $"{name}=true" : name;
        if (!SwitchText.TryParse(value, out bool on))
            throw new BadInputException($"{name}{(value.Length > 0 ? $" {value}" : "=")}: {SwitchText.Problem}");
        return on ? $"{name}=true" : $"{name}=false";
    }

    private static void Add(List<string> words, string name, string? value)
    {
        // The parser takes `--append=` for an option without a value, and an empty word of its own for an empty value.
        if (value is null or "")
            words.Add(name);
        else
            words.Add($"{name}={value}");
        if (value is "")
            words.Add("");
    }

    /// <summary>A value that may be left out is, before what looks like another option.</summary>
    private static bool TakesNext(Option option, string next)
    {
        if (option.Arity.MinimumNumberOfValues > 0)
            return true;
        return option.Arity.MaximumNumberOfValues > 0 && next is not ['-', ..];
    }

    /// <summary>QEMU's two short options for gdb: the usual port, and a guest that waits.</summary>
    private static string? Debugger(Command command, string word) => word switch
    {
        "-s" when Find(command, "--gdb") is not null => "--gdb=1234",
        "-S" when Find(command, "--gdb-wait") is not null => "--gdb-wait",
        _ => null,
    };

    private static string ToOwn(string name) =>
        Array.IndexOf(Qemu, name) < 0 ? name : name == "-bios" ? "--firmware" : "-" + name.Replace('_', '-');

    private static Command? Subcommand(Command command, string name)
    {
        foreach (Command inner in command.Subcommands)
        {
            if (inner.Name == name)
                return inner;
        }

        return null;
    }

    private static Option? Find(Command command, string name)
    {
        if (name is not ['-', ..])
            return null;
        foreach (Option option in command.Options)
        {
            if (option.Name == name || option.Aliases.Contains(name))
                return option;
        }

        return null;
    }
}
