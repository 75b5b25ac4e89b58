using System.CommandLine;
using MiniVmm.Cli;

namespace MiniVmm.Tools.Reference;

/// <summary>The manual page of all commands, as roff with man(7)'s macros.</summary>
internal static class ManPage
{
    private static readonly Entry[] Statuses =
    [
        new($"{ExitStatus.Success}", "The guest powered off or rebooted; or the command did what was asked"),
        new("(v << 1) | 1", "The guest wrote v to port 0xf4, as with QEMU's isa-debug-exit"),
        new($"{ExitStatus.TestsFailed}", "minivmm test: a test did not pass, or nothing ran"),
        new($"{ExitStatus.BadInput}", "Bad arguments, or a file that cannot be used"),
        new($"{ExitStatus.HostLimit}", "The host cannot: no /dev/kvm, no permission, no huge pages, ..."),
        new($"{ExitStatus.GuestCrash}", "The guest crashed"),
        new($"{ExitStatus.Untrusted}", "minivmm bench: the kernel counted other exits than were measured"),
        new($"{ExitStatus.Timeout}", "--timeout ran out"),
        new($"{ExitStatus.Interrupted}", "Interrupted by SIGINT, SIGTERM or Ctrl-A x"),
    ];

    private static readonly Entry[] Files =
    [
        new("/dev/kvm", "The kernel's virtual machines; reading and writing it is all the permission needed"),
        new("~/.config/minivmm/cpu-models.json", "CPU models of your own, beside those of --cpu help"),
        new("/run/minivmm/NAME.sock, /run/user/UID/minivmm/NAME.sock", "Where ps and ctl find a machine with a name"),
    ];

    public static IEnumerable<string> Lines(Command root)
    {
        Command[] commands = [.. CommandPage.Tree(root)];
        CommandPage[] leaves = [.. commands.Where(command => command is DocumentedCommand or { Subcommands.Count: 0 }).Select(CommandPage.Of)];
        string[] head =
        [
            ".\\\" Written by: minivmm man",
            ".TH MINIVMM 1",
            ".SH NAME",
            "minivmm \\- boot small kernels and Linux on KVM",
            ".SH SYNOPSIS",
            ".nf",
            .. leaves.Select(page => Bold(page.Usage, page.Path)),
            ".fi",
            ".SH DESCRIPTION",
            Escape(root.Description ?? ""),
            "Options have one value at most, written as",
            ".B \\-\\-mem 2G",
            "or",
            ".BR \\-\\-mem=2G .",
            "The spellings",
            ".BR \\-smp ,",
            ".BR \\-m ,",
            ".BR \\-cpu ,",
            ".BR \\-mem\\-path ,",
            ".BR \\-mem\\-prealloc ,",
            ".BR \\-kernel ,",
            ".B \\-initrd",
            "and",
            ".B \\-append",
            "of QEMU mean the same as with two dashes.",
        ];
        return
        [
            .. head,
            .. leaves.SelectMany(Page),
            ".SH GENERAL OPTIONS",
            .. CommandPage.Of(root).Sections[^1].Entries.SelectMany(Tagged),
            ".SH EXIT STATUS",
            "Odd numbers are the guest's, even ones MiniVmm's.",
            .. Statuses.SelectMany(Tagged),
            ".SH FILES",
            .. Files.SelectMany(Tagged),
            ".SH SEE ALSO",
            ".BR qemu (1)",
        ];
    }

    private static IEnumerable<string> Page(CommandPage page)
    {
        yield return $".SH {Escape(page.Path.ToUpperInvariant())}";
        yield return Escape($"{page.Description.TrimEnd('.')}.");
        foreach (Section section in page.Sections.SkipLast(1)) // the general options stand once for all
        {
            yield return $".SS {Escape(section.Title)}";
            foreach (string line in section.Entries.SelectMany(Tagged))
                yield return line;
            if (section.Example is not { } example)
                continue;
            yield return ".PP";
            yield return "Example:";
            yield return ".PP";
            yield return ".in +4n";
            yield return ".nf";
            yield return Escape(example);
            yield return ".fi";
            yield return ".in";
        }
    }

    private static IEnumerable<string> Tagged(Entry entry) =>
        [".TP", $"\\fB{Breakable(entry.Syntax)}\\fR", Escape($"{entry.Text}.")];

    private static string Bold(string usage, string path) =>
        $"\\fB{Escape(path)}\\fR{Escape(usage[path.Length..])}";

    /// <summary>A syntax may break before [ and |, without a hyphen.</summary>
    private static string Breakable(string syntax) => Escape(syntax)
        .Replace("[", "\\:[", StringComparison.Ordinal)
        .Replace("|", "\\:|", StringComparison.Ordinal);

    /// <summary>Backslashes and dashes as they are typed; no line that starts as a request (groff_man_style(7)).</summary>
    private static string Escape(string text)
    {
        string escaped = text
            .Replace("\\", "\\e", StringComparison.Ordinal)
            .Replace("-", "\\-", StringComparison.Ordinal)
            .Replace("~", "\\(ti", StringComparison.Ordinal);
        return escaped is ['.' or '\'', ..] ? $"\\&{escaped}" : escaped;
    }
}
