using System.Runtime.InteropServices;

namespace MiniVmm.Boot.Media;

/// <summary>
/// A grub.cfg as far as such files go: menu entries and menus in menus, what they load, variables, conditions on files and
/// texts, and other files that it reads. What concerns GRUB's own screen and devices is passed over, and so are functions and
/// loops.
/// </summary>
internal sealed class GrubConfiguration
{
    private const int MostDepth = 16;
    private const int MostStatements = 20_000;

    private readonly Func<string, string?> _read;
    private Dictionary<string, string> _variables = new(StringComparer.Ordinal)
    {
        ["prefix"] = "/boot/grub",
        ["root"] = "",
        ["grub_platform"] = "pc",
        ["grub_cpu"] = "i386",
    };

    private MenuCodecs _codecs;
    private readonly List<MenuEntry> _entries = [];
    private readonly List<IReadOnlyList<Step>> _steps = []; // to each
    private int _statements;

    /// <summary>What a menu, or an entry in it, is called there: by number from 0, title and id.</summary>
    private readonly record struct Step(int Number, string Title, string? Id);

    /// <summary>A menu, whose entries and submenus are numbered as they come.</summary>
    private sealed class MenuPlace
    {
        public string Title { get; init; } = "";

        public IReadOnlyList<Step> Steps { get; init; } = [];

        public int Count { get; set; }
    }

    private GrubConfiguration(Func<string, string?> read) => _read = read;

    /// <summary>Reads a configuration.</summary>
    /// <param name="text">The file.</param>
    /// <param name="read">Gives the text of another file of the image, or null.</param>
    /// <exception cref="BadInputException">It goes on without end.</exception>
    public static BootMenu Parse(string text, Func<string, string?> read)
    {
        GrubConfiguration configuration = new(read);
        MenuEntry outside = configuration.Run(text, new() { Title = "grub.cfg" }, new(), depth: 0);
        if (outside.Kernel is not null)
            configuration._entries.Add(outside); // commands without a menu
        return new(configuration._entries, configuration.FindDefault());
    }

    /// <summary>The number of the default entry, or null.</summary>
    private string? FindDefault()
    {
        if (!_variables.TryGetValue("default", out string? wanted) || wanted.Length == 0)
            return null;
        string[] parts = wanted.Split('>');
        int index = _steps.FindIndex(steps => Leads(steps, parts));
        return index >= 0 ? $"{index}" : null;
    }

    /// <summary>Whether each menu on the way is called so; a menu without more stands for its first entry.</summary>
    private static bool Leads(IReadOnlyList<Step> steps, string[] parts)
    {
        if (parts.Length > steps.Count)
            return false;
        for (int i = 0; i < parts.Length; i++)
        {
            Step step = steps[i];
            if (int.TryParse(parts[i], out int number) ? step.Number != number : step.Id != parts[i] && step.Title != parts[i])
                return false;
        }

        return true;
    }

    private MenuEntry Run(string text, MenuEntry entry, MenuPlace menu, int depth)
    {
        GrubWords words = new(text, name => _variables.GetValueOrDefault(name, ""));
        return Block(words, entry, menu, depth, isActive: true, out _);
    }

    /// <summary>Takes statements to the end of their block.</summary>
    /// <param name="words">The script.</param>
    /// <param name="entry">What was loaded before.</param>
    /// <param name="menu">The menu around it.</param>
    /// <param name="depth">How many blocks and files are around it.</param>
    /// <param name="isActive">Whether the statements count, or are read alone.</param>
    /// <param name="end">The statement that ends it: }, fi, else, elif or done; empty at the end of the file.</param>
    private MenuEntry Block(GrubWords words, MenuEntry entry, MenuPlace menu, int depth, bool isActive, out List<string> end)
    {
        if (depth > MostDepth)
            throw BadInputException.OfNoKernel($"grub.cfg: blocks or files more than {MostDepth} deep in each other");
        while (!words.IsAtEnd)
        {
            List<string> statement = Next(words);
            if (statement is ["then" or "do", ..])
                statement.RemoveAt(0);
            switch (statement.FirstOrDefault())
            {
                case null:
                    break;
                case "}" or "fi" or "else" or "elif" or "done":
                    if (depth == 0)
                        break; // ends nothing
                    end = statement;
                    return entry;
                case "menuentry" or "submenu":
                    Menu(words, statement, menu, depth, isActive);
                    break;
                case "function" or "for" or "while" or "until":
                    if (statement[0] == "function")
                        SkipToBrace(words, statement);
                    Block(words, entry, menu, depth + 1, isActive: false, out _);
                    break;
                case "if":
                    entry = Condition(words, statement, entry, menu, depth, isActive);
                    break;
                default:
                    if (isActive)
                        entry = Command(statement, entry, menu, depth);
                    break;
            }
        }

        end = [];
        return entry;
    }

    private List<string> Next(GrubWords words) => ++_statements <= MostStatements
        ? words.Next()
        : throw BadInputException.OfNoKernel($"grub.cfg: more than {MostStatements} statements");

    private void SkipToBrace(GrubWords words, List<string> statement)
    {
        while (statement is not [.., "{"] && !words.IsAtEnd)
        {
            if (Next(words) is { Count: > 0 } next)
                statement = next;
        }
    }

    private void Menu(GrubWords words, List<string> statement, MenuPlace menu, int depth, bool isActive)
    {
        bool isSubmenu = statement[0] == "submenu";
        string? title = null, id = null;
        for (int i = 1; i < statement.Count && statement[i] != "{"; i++)
        {
            string word = statement[i];
            if (!word.StartsWith("--", StringComparison.Ordinal))
            {
                title ??= word;
                continue;
            }

            string option = word[2..];
            if (option.StartsWith("id=", StringComparison.Ordinal))
                id = option[3..];
            else if (option == "id")
                id = statement.ElementAtOrDefault(i + 1);
            if (option is "class" or "users" or "hotkey" or "id")
                i++; // its value
        }

        SkipToBrace(words, statement); // it may stand on a line of its own
        string name = menu.Title.Length == 0 ? title ?? "" : $"{menu.Title}>{title}";
        IReadOnlyList<Step> steps = isActive ? [.. menu.Steps, new(menu.Count++, title ?? "", id)] : menu.Steps;
        MenuPlace inside = isSubmenu ? new() { Title = name, Steps = steps } : menu;
        bool isRead = isActive && (isSubmenu || _entries.Count < BootMenu.MostEntries);
        // What an entry sets and loads is there once it is chosen, and so for no other.
        (Dictionary<string, string> variables, MenuCodecs codecs) = (_variables, _codecs);
        if (isRead && !isSubmenu)
            _variables = new(variables, StringComparer.Ordinal);
        MenuEntry entry = Block(words, new() { Title = name, Id = id }, inside, depth + 1, isRead, out _);
        if (!isRead || isSubmenu)
            return;
        (_variables, _codecs) = (variables, codecs);
        _entries.Add(entry);
        _steps.Add(steps);
    }

    private MenuEntry Condition(
        GrubWords words, List<string> statement, MenuEntry entry, MenuPlace menu, int depth, bool isActive)
    {
        bool isTaken = false;
        List<string> branch = statement;
        while (branch is ["if" or "elif" or "else", ..])
        {
            bool isElse = branch[0] == "else";
            bool isRun = isActive && !isTaken && (isElse || IsTrue(branch[1..]));
            if (isElse && branch.Count > 1)
                words.Return(branch[1..]);
            entry = Block(words, entry, menu, depth + 1, isRun, out branch);
            isTaken |= isRun;
        }

        return entry;
    }

    /// <summary>A test of files and texts, whose "-a" binds tighter than "-o"; any other command is taken to succeed.</summary>
    private bool IsTrue(List<string> words)
    {
        ReadOnlySpan<string> rest = WithoutNot(CollectionsMarshal.AsSpan(words), out bool isNot);
        if (rest is not ["[" or "test", .. ReadOnlySpan<string> tests])
            return !isNot;
        bool any = false, all = true;
        int start = 0;
        for (int i = 1; i <= tests.Length && !any; i++)
        {
            bool isEnd = i == tests.Length;
            if (!isEnd && (tests[i] is not ("-a" or "-o") || i == start))
                continue; // the first word of a test is a text, whatever it is
            all = all && IsOneTrue(tests[start..i]);
            if (isEnd || tests[i] == "-o")
                (any, all) = (all, true);
            start = i + 1;
        }

        return any != isNot;
    }

    private bool IsOneTrue(ReadOnlySpan<string> words)
    {
        words = WithoutNot(words, out bool isNot);
        bool holds = words switch
        {
            ["-e" or "-f" or "-s", string path, ..] => _read(PathOf(path)) is not null,
            ["-d", ..] => true,
            ["-n", string text, ..] => text is not ("" or "]"),
            ["-z", string text, ..] => text is "" or "]",
            [string a, "=" or "==", string b, ..] => a == b,
            [string a, "!=", string b, ..] => a != b,
            [string text] => text is not ("" or "]"),
            [string text, "]"] => text.Length > 0,
            _ => false,
        };
        return holds != isNot;
    }

    /// <summary>What is behind any number of "!".</summary>
    private static ReadOnlySpan<string> WithoutNot(ReadOnlySpan<string> words, out bool isNot)
    {
        isNot = false;
        while (words is ["!", ..])
        {
            isNot = !isNot;
            words = words[1..];
        }

        return words;
    }

    private MenuEntry Command(List<string> statement, MenuEntry entry, MenuPlace menu, int depth)
    {
        // Options come before the file.
        List<string> operands = [.. statement.Skip(1).SkipWhile(word => word.StartsWith("--", StringComparison.Ordinal))];
        string words = string.Join(' ', operands.Skip(1));
        string path = operands.Count > 0 ? PathOf(operands[0]) : "";
        switch (statement[0])
        {
            case "set" or "export" when operands.Count > 0 && operands[0].IndexOf('=', StringComparison.Ordinal) is > 0 and int at:
                _variables[operands[0][..at]] = operands[0][(at + 1)..];
                return entry;
            case "unset" when operands.Count > 0:
                _variables.Remove(operands[0]);
                return entry;
            case "source" or "configfile" or "." when operands.Count > 0:
                return _read(path) is { } text ? Run(text, entry, menu, depth + 1) : entry;
            case "linux" or "linux16" or "linuxefi" when operands.Count > 0:
                return entry with { Kernel = new(path, words), Protocol = BootProtocol.Linux };
            case "initrd" or "initrd16" or "initrdefi":
                return entry with { Initrds = [.. operands.Select(PathOf)] };
            case "multiboot" when operands.Count > 0:
                return entry with { Kernel = new(path, words), Protocol = BootProtocol.Multiboot };
            case "multiboot2" when operands.Count > 0:
                return entry with { Kernel = new(path, words), Protocol = BootProtocol.Multiboot2 };
            case "module" or "module2" when operands.Count > 0:
                MenuCodecs unpacked = statement[1] is ['-', '-', .. "nounzip"] ? MenuCodecs.None : _codecs;
                return entry with { Modules = [.. entry.Modules, new(path, words, unpacked)] };
            case "insmod" when operands.Count > 0:
                _codecs |= CodecOf(operands[0]);
                return entry;
            case "chainloader" or "linux_bsd" or "kfreebsd" or "knetbsd" or "kopenbsd" or "ntldr" or "xen_hypervisor":
                return entry with { Other = statement[0] };
            case string assignment when assignment.IndexOf('=', StringComparison.Ordinal) is > 0 and int at:
                // No command is called so: then GRUB takes it for an assignment.
                _variables[assignment[..at]] = assignment[(at + 1)..];
                return entry;
            default:
                return entry;
        }
    }

    /// <summary>What GRUB can unpack with a module of its own: it does so with each file that is read, initial RAM disks excepted.</summary>
    private static MenuCodecs CodecOf(string module) => Path.GetFileNameWithoutExtension(module) switch
    {
        "gzio" => MenuCodecs.Gzip,
        "xzio" => MenuCodecs.Xz,
        _ => MenuCodecs.None,
    };

    /// <summary>A path without the device in front of it: (cd0)/boot/kernel, ($root)/boot/kernel.</summary>
    private static string PathOf(string word) =>
        word.StartsWith('(') && word.IndexOf(')', StringComparison.Ordinal) is > 0 and int end ? word[(end + 1)..] : word;
}
