using System.Globalization;
using System.Security;
using System.Text;

namespace MiniVmm.Host;

/// <summary>
/// The host's small text files (/proc, /sys, /etc), below a root that a test can put elsewhere. What is missing,
/// forbidden or odd is null, never an exception: a fact about the host is not worth a failed measurement.
/// </summary>
/// <param name="root">The folder that stands for <c>/</c>.</param>
public sealed class HostFiles(string root = "/")
{
    /// <summary>Bytes read of a file at most; the rest is ignored.</summary>
    public const int MaxFileBytes = 1 << 20;

    private const int MaxLineBytes = 4096;
    private const int MaxLineRunes = 512;

    /// <summary>The text of a file up to <see cref="MaxFileBytes"/>; null if it cannot be read.</summary>
    /// <param name="path">An absolute path as it is on the host: <c>/proc/cpuinfo</c>.</param>
    public string? ReadAllText(string path) => ReadAllText(path, MaxFileBytes);

    /// <summary>As <see cref="ReadAllText(string)"/>, for a file that may be larger.</summary>
    /// <param name="limit">Bytes read at most; the rest is ignored.</param>
    public string? ReadAllText(string path, int limit) => Read(path, limit);

    /// <summary>
    /// The first line of a file as one that can be shown (see <see cref="Printable"/>); empty if the file is; null if
    /// it cannot be read.
    /// </summary>
    public string? ReadLine(string path)
    {
        string? text = Read(path, MaxLineBytes);
        if (text is null)
            return null;
        int end = text.IndexOf('\n');
        return Printable(end < 0 ? text : text.AsSpan(0, end));
    }

    /// <summary>Like <see cref="ReadLine"/>, for files that say nothing when they are empty: null then.</summary>
    public string? ReadFact(string path) => ReadLine(path) is { Length: > 0 } line ? line : null;

    /// <summary>Like <see cref="ReadLine"/>, for 0 or 1 (N or Y in module parameters); anything else is null.</summary>
    public bool? ReadSwitch(string path) => ReadLine(path) switch
    {
        "0" or "N" => false,
        "1" or "Y" => true,
        _ => null,
    };

    /// <summary>A symbolic link's target as it is written, which need not be there; null if it is no link.</summary>
    public string? ReadLink(string path) =>
        Try(() => new FileInfo(OnHost(path)).LinkTarget is { } target ? Printable(target) : null);

    /// <summary>The last name of a symbolic link's target; null if it is no link.</summary>
    public string? ReadLinkName(string path) => ReadLink(path) is { } target ? Path.GetFileName(target) : null;

    /// <summary>Whether there is a file or a folder.</summary>
    public bool Exists(string path) => Path.Exists(OnHost(path));

    /// <summary>Names in a folder, in ordinal order; null if it cannot be listed.</summary>
    public IReadOnlyList<string>? List(string path) =>
        Try(() => Directory.EnumerateFileSystemEntries(OnHost(path))
            .Select(entry => Path.GetFileName(entry))
            .Where(name => name == Printable(name))
            .Order(StringComparer.Ordinal)
            .ToArray());

    /// <summary>
    /// One line without what would disturb a terminal or a JSON reader: control, formatting and unassigned characters
    /// are U+FFFD, tabs are spaces, and a line over 512 characters is cut.
    /// </summary>
    public static string Printable(ReadOnlySpan<char> line)
    {
        StringBuilder printable = new();
        int runes = 0;
        foreach (Rune rune in line.Trim("\0 \t\r\n").EnumerateRunes())
        {
            if (runes++ == MaxLineRunes)
                return printable.Append('…').ToString();
            Rune shown = rune.Value == '\t' ? new Rune(' ') : IsShown(rune) ? rune : Rune.ReplacementChar;
            printable.Append(shown.ToString());
        }

        return printable.ToString();
    }

    private static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);

    private string? Read(string path, int limit) => Try(() =>
    {
        // Sharing everything keeps .NET from locking the file, which sysfs need not allow.
        using FileStream file = new(
            OnHost(path), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        using MemoryStream content = new();
        // A page and more at once: sysfs generates its text again for every read.
        byte[] buffer = new byte[64 * 1024];
        while (content.Length < limit)
        {
            int count = file.Read(buffer, 0, (int)Math.Min(buffer.Length, limit - content.Length));
            if (count == 0)
                break;
            content.Write(buffer, 0, count);
        }

        return Encoding.UTF8.GetString(content.GetBuffer(), 0, (int)content.Length);
    });

    private string OnHost(string path) => Path.Join(root, path);

    // The exceptions that .NET maps errno to, for open, read and readdir: EFBIG is an ArgumentException, ECANCELED the
    // last.
    private static T? Try<T>(Func<T?> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SecurityException
            or ArgumentException or NotSupportedException or OperationCanceledException)
        {
            return null;
        }
    }
}
