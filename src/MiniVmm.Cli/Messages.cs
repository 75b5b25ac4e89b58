using System.Globalization;
using System.Text;
using MiniVmm.Cli.Output;

namespace MiniVmm.Cli;

/// <summary>
/// What MiniVmm itself says, on standard error, one line each: whatever the names and values in it hold, it neither
/// breaks the line nor speaks to the terminal.
/// </summary>
internal static class Messages
{
    /// <summary>How options are named.</summary>
    public static Func<NamedOption, string> Spelling { get; set; } = OptionSpelling.Of;

    public static void Error(OptionMessage message) => Write("minivmm: ", message.Spelled(Spelling));

    /// <summary>What somebody has to know to use the machine.</summary>
    public static void Note(string message) => Write("minivmm: ", message);

    public static void Warning(OptionMessage message) =>
        Write("minivmm: warning: ", message.Spelled(Spelling));

    /// <summary>Several lines about the guest; those that are not indented are marked as MiniVmm's.</summary>
    public static void Report(OptionMessage lines)
    {
        foreach (string line in lines.Spelled(Spelling).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Write(line[0] == ' ' ? "" : "minivmm: ", line);
    }

    /// <summary>Ends the line that a guest has left open where messages go, so that what follows begins one of its own.</summary>
    public static void EndGuestLine() => Write("", "");

    /// <summary>The text with an escape, as a shell's $'…' has them, for each control character.</summary>
    public static string Printable(string message)
    {
        if (!message.Any(char.IsControl))
            return message;
        StringBuilder line = new();
        foreach (char letter in message)
        {
            _ = letter switch
            {
                '\n' => line.Append("\\n"),
                '\r' => line.Append("\\r"),
                _ when char.IsControl(letter) => line.Append(CultureInfo.InvariantCulture, $"\\x{(int)letter:x2}"),
                _ => line.Append(letter),
            };
        }

        return line.ToString();
    }

    private static void Write(string prefix, string message)
    {
        try
        {
            Standard.Error.WriteLine(prefix + Printable(message));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nowhere is left to say it; the exit status still tells.
        }
    }
}
