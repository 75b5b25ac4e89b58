using System.Text;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Cli.Output;

/// <summary>Where MiniVmm itself writes text. Use these, not Console, which changes a terminal's modes.</summary>
internal static class Standard
{
    private const int OutputFd = 1;
    private const int ErrorFd = 2;

    /// <summary>Standard output.</summary>
    public static TextWriter Output { get; } = Open(OutputFd);

    /// <summary>Standard error.</summary>
    public static TextWriter Error { get; } = Open(ErrorFd);

    public static bool OutputIsTerminal => isatty(OutputFd) != 0;

    public static bool ErrorIsTerminal => isatty(ErrorFd) != 0;

    /// <summary>Whether both lead to the same file, terminal or pipe.</summary>
    public static unsafe bool ErrorIsOutput
    {
        get
        {
            stat output, error;
            return fstat(OutputFd, &output) == 0 && fstat(ErrorFd, &error) == 0
                && output.st_dev == error.st_dev && output.st_ino == error.st_ino;
        }
    }

    /// <summary>Columns of standard output's terminal; null where it is none, or does not say.</summary>
    public static int? OutputColumns => Columns(OutputFd);

    /// <summary>Columns of standard error's terminal, likewise.</summary>
    public static int? ErrorColumns => Columns(ErrorFd);

    /// <summary>Standard output, for bytes.</summary>
    public static Stream OpenOutput() => new StandardStream(OutputFd);

    private static int? Columns(int fd) =>
        Terminal.TerminalSize.TryGet(fd, out ushort columns, out _) && columns > 0 ? columns : null;

    private static StreamWriter Open(int fd) =>
        new(new StandardStream(fd), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
}
