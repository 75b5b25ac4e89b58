using System.Globalization;
using System.Text;
using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Terminal;

namespace MiniVmm.Testing;

/// <summary>
/// The keys that a test is described by, in a manifest and beside an image alike: the test's own, and the options of a
/// machine as the command line has them, without dashes. Files are relative to the file that names them.
/// </summary>
internal static class TestKeys
{
    public const string Expect = "expect";
    public const string Exit = "exit";
    public const string Until = "until";
    public const string Allow = "allow";
    public const string Timeout = "timeout";
    public const string Skip = "skip";
    public const string KnownFailure = "xfail";
    public const string MaySkip = "may-skip";

    /// <summary>Those whose values are added up within a file, and replace what was there before.</summary>
    private static readonly string[] Lists = [Expect, Allow];

    private static readonly string[] Own = [Expect, Exit, Until, Allow, Timeout, Skip, KnownFailure, MaySkip];

    /// <summary>Options that a test's machine has from the run: it has one console, which is read.</summary>
    private static readonly OptionName[] Reserved =
    [
        OptionName.Kernel, OptionName.Console, OptionName.Display, OptionName.Name, OptionName.Stats, OptionName.Timeout,
        OptionName.Trace, OptionName.TraceFile,
    ];

    /// <summary>The test with one more value.</summary>
    /// <param name="test">What it is so far.</param>
    /// <param name="key">The key.</param>
    /// <param name="text">The value; "on" or "off" for a switch.</param>
    /// <param name="folder">Where relative paths start.</param>
    /// <exception cref="BadInputException">No such key, or not a value for it.</exception>
    public static TestCase With(this TestCase test, string key, string text, string folder) => key switch
    {
        Expect => test.Expecting(test.Expected with { Texts = [.. test.Expected.Texts, ReadText(key, text)] }),
        Exit => test.Expecting(test.Expected with { Exit = ReadStatus(key, text) }),
        Until => test.Expecting(test.Expected with { Until = ReadText(key, text) }),
        Allow => test.Expecting(test.Expected with { Allowed = [.. test.Expected.Allowed, ReadText(key, text)] }),
        Timeout => test with
        {
            Timeout = SecondsText.TryParse(text, out TimeSpan time)
                ? time
                : throw new BadInputException($"{key} {text}: not a number of seconds, such as 10 or 0.5"),
        },
        Skip => test with { SkipReason = ReadReason(key, text) },
        KnownFailure => test.Expecting(test.Expected with { KnownFailure = ReadReason(key, text) }),
        MaySkip => test.Expecting(test.Expected with
        {
            MaySkip = SwitchText.TryParse(text, out bool on) ? on : throw new BadInputException($"{key} {text}: {SwitchText.Problem}"),
        }),
        _ => test with { Machine = With(test.Machine, key, text, folder) },
    };

    /// <summary>The test without the values of a list's key, which a file is about to give anew.</summary>
    public static TestCase Without(this TestCase test, string key) => key switch
    {
        Expect => test.Expecting(test.Expected with { Texts = [] }),
        Allow => test.Expecting(test.Expected with { Allowed = [] }),
        _ => test,
    };

    public static bool IsList(string key) => Lists.Contains(key);

    private static TestCase Expecting(this TestCase test, Expectation expected) => test with { Expected = expected };

    private static MachineOptions With(MachineOptions machine, string key, string text, string folder)
    {
        if (Option(key) is not { } option)
            throw new BadInputException($"'{key}' is no key of a test{Meant(key)}");
        return option switch
        {
            OptionName.Initrd => machine with
            {
                Initrds = [.. BootFileText.ParseList(text, Exists).Select(file => file with { Path = Path.Combine(folder, file.Path) })],
            },
            OptionName.Module => machine with
            {
                Modules = [.. machine.Modules, BootFileText.Parse(text, Exists) is var file ? file with { Path = Path.Combine(folder, file.Path) } : file],
            },
            OptionName.Firmware or OptionName.FirmwareVars or OptionName.Cdrom or OptionName.Fda or OptionName.MemPath
                or OptionName.ScreenshotAtEnd => machine.With(option, Path.Combine(folder, text)),
            OptionName.Com2 or OptionName.Debugcon => RequireQuiet(machine.With(option, text), key, text, folder),
            OptionName.Disk => InFolder(machine.With(option, text), machine.Disks.Count, folder),
            _ => machine.With(option, text),
        };

        bool Exists(string name) => File.Exists(Path.Combine(folder, name));
    }

    /// <summary>
    /// A test has no terminal, and nobody connects to it: its second port goes to a file or nowhere, and so does port 0xe9,
    /// unless it joins the console.
    /// </summary>
    private static MachineOptions RequireQuiet(MachineOptions machine, string key, string text, string folder)
    {
        if (machine.Com2 is { Kind: not (ConsoleKind.File or ConsoleKind.None) }
            || machine.DebugConsole is DebugConsoleKind.Stdio or DebugConsoleKind.Stderr)
            throw new BadInputException($"{key} {text}: name a file, or none");
        return machine with
        {
            Com2 = key == "com2" && machine.Com2 is { Path: { } file } port ? port with { Path = Path.Combine(folder, file) } : machine.Com2,
            DebugConsolePath = key == "debugcon" && machine.DebugConsolePath is { } path ? Path.Combine(folder, path) : machine.DebugConsolePath,
        };
    }

    /// <summary>The disks from <paramref name="first"/> on, where they are.</summary>
    private static MachineOptions InFolder(MachineOptions machine, int first, string folder) => machine with
    {
        Disks =
        [
            .. machine.Disks.Take(first),
            .. machine.Disks.Skip(first).Select(disk => disk with { File = Path.Combine(folder, disk.File) }),
        ],
    };

    private static OptionName? Option(string key)
    {
        foreach (OptionName name in Enum.GetValues<OptionName>())
        {
            if (!Reserved.Contains(name) && Spelled(name) == key)
                return name;
        }

        return null;
    }

    private static string Meant(string key) =>
        Spelling.Closest(key, Own.Concat(Enum.GetValues<OptionName>().Where(name => !Reserved.Contains(name)).Select(Spelled))) is { } closest
            ? $"; did you mean '{closest}'?"
            : "";

    private static string Spelled(OptionName name)
    {
        StringBuilder text = new();
        foreach (char letter in name.ToString())
        {
            if (char.IsAsciiLetterUpper(letter) && text.Length > 0)
                text.Append('-');
            text.Append(char.ToLowerInvariant(letter));
        }

        return text.ToString();
    }

    /// <summary>A text to look for.</summary>
    public static string ReadText(string key, string text) => text switch
    {
        _ when string.IsNullOrWhiteSpace(text) => throw new BadInputException($"{key}: the text is empty, and would be found anywhere"),
        { Length: > Expectation.LongestText } =>
            throw new BadInputException($"{key}: {text.Length} characters are more than {Expectation.LongestText}"),
        _ when text.Any(letter => char.IsControl(letter) && letter != '\t') =>
            throw new BadInputException($"{key}: a text is looked for within a line, and has no control characters"),
        _ => text,
    };

    /// <summary>An exit status of <c>minivmm run</c>.</summary>
    public static int ReadStatus(string key, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int status) && (status is 0 or 6 or 124 || status % 2 == 1)
            && status <= 255
            ? status
            : throw new BadInputException(
                $"{key} {text}: not an exit status of a guest's: 0 for power-off, (v << 1) | 1 for a debug exit of v, 6 for a crash, 124 for a timeout");

    private static string ReadReason(string key, string text) => string.IsNullOrWhiteSpace(text)
        ? throw new BadInputException($"{key}: needs a reason")
        : text.Trim();
}
