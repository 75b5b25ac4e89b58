using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace MiniVmm.Guest.Tests;

/// <summary>A terminal as a user has one: <c>minivmm</c> started on it is its session's foreground.</summary>
internal sealed partial class PseudoTerminal : IDisposable
{
    private const int O_RDWR = 2;
    private const int O_NOCTTY = 0x100;
    private const int O_CLOEXEC = 0x80000;

    /// <summary>A shell's script: the terminal is $0, what to start on it is behind.</summary>
    private const string OnTerminal = "exec env --default-signal setsid --ctty \"$@\" <\"$0\" >\"$0\"";

    private readonly FileStream _keyboard;
    private readonly SafeFileHandle _slave;
    private readonly string _path;

    public PseudoTerminal()
    {
        SafeFileHandle master = Opened(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        byte[] name = new byte[64];
        if (unlockpt(master) != 0 || ptsname_r(master, name, name.Length) != 0)
            throw new Win32Exception();
        _path = Encoding.UTF8.GetString(name).TrimEnd('\0');
        // Held open, so that the terminal and its settings outlive those who use it.
        _slave = Opened(open(_path, O_RDWR | O_NOCTTY | O_CLOEXEC));
        _keyboard = new FileStream(master, FileAccess.ReadWrite, bufferSize: 0);
        Screen = new Transcript(_keyboard);
    }

    /// <summary>What stands on it, what was typed and echoed too.</summary>
    public Transcript Screen { get; }

    /// <summary>
    /// All that stands on it, once those that were started on it have gone: the last of it may still be on its way then. Nobody can
    /// use the terminal any more.
    /// </summary>
    public async Task<string> CloseAsync()
    {
        _slave.Dispose(); // with the last user gone, the reader of the screen gets EIO behind all that was written
        await Screen.End.WaitAsync(Transcript.Deadline);
        return Screen.Text;
    }

    /// <summary>The same without its colours (select graphic rendition: ECMA-48, 8.3.117).</summary>
    public async Task<string> CloseWithoutColoursAsync() => Colours().Replace(await CloseAsync(), "");

    /// <summary>Starts <c>minivmm</c> on it; its standard error stays a pipe.</summary>
    public MinivmmProcess Start(params IEnumerable<string> arguments) => MinivmmProcess.StartProgram(
        "sh", ["-c", OnTerminal, _path, Built.MiniVmm, .. arguments]);

    /// <summary>Starts a program on it, with its standard error there too, in an xterm for all it knows.</summary>
    public MinivmmProcess StartProgram(params IEnumerable<string> command) => MinivmmProcess.StartProgram(
        "sh", ["-c", $"export TERM=xterm; {OnTerminal} 2>\"$0\"", _path, .. command]);

    /// <summary>Waits until its settings are others than these.</summary>
    public async Task<string> SettingsOtherThanAsync(string these)
    {
        Stopwatch waited = Stopwatch.StartNew();
        string now;
        while ((now = await SettingsAsync()) == these)
        {
            Assert.True(waited.Elapsed < Transcript.Deadline, "The terminal's settings do not change.");
            await Task.Delay(10);
        }

        return now;
    }

    /// <summary>Changes its settings, as another program on it would.</summary>
    public async Task SetAsync(string settings) =>
        (await MinivmmProcess.RunProgramAsync("stty", "--file", _path, settings.Trim())).With(0);

    public void Type(string keys) => _keyboard.Write(Encoding.UTF8.GetBytes(keys));

    /// <summary>All its settings (termios), as stty writes them down.</summary>
    public async Task<string> SettingsAsync() =>
        (await MinivmmProcess.RunProgramAsync("stty", "--file", _path, "--save")).With(0).Output;

    public void Dispose()
    {
        _slave.Dispose();
        Screen.End.Wait(Transcript.Deadline);
        _keyboard.Dispose();
    }

    [GeneratedRegex("\u001b\\[[0-9;]*m")]
    private static partial Regex Colours();

    private static SafeFileHandle Opened(int fd) =>
        fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw new Win32Exception();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int posix_openpt(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unlockpt(SafeFileHandle master);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ptsname_r(SafeFileHandle master, [Out] byte[] name, nint size);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);
}
