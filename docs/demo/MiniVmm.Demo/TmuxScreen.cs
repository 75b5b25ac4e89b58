using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace MiniVmm.Demo;

/// <summary>A terminal that shows what is written to it: a pane of tmux, whose terminal others wrote and many use.</summary>
internal sealed class TmuxScreen : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("minivmm-demo-").FullName;
    private readonly FileStream _output;
    private int _shown;

    /// <summary>Opens one.</summary>
    /// <exception cref="IOException">tmux does not start, with what it says.</exception>
    /// <exception cref="System.ComponentModel.Win32Exception">There is no tmux.</exception>
    public TmuxScreen(int columns, int rows)
    {
        string output = Path.Combine(_folder, "output"), configuration = Path.Combine(_folder, "tmux.conf");
        File.WriteAllText(configuration, "set -g status off\nset -g default-terminal xterm-256color\n");
        Run("mkfifo", output);
        // Bytes are shown as they are: those of a recording have been through a terminal's output settings once.
        Tmux("-f", configuration, "new-session", "-d", "-x", $"{columns}", "-y", $"{rows}", "-s", "demo", "--",
            "sh", "-c", "stty raw -echo; exec cat \"$1\"", "sh", output);
        _output = new FileStream(output, FileMode.Open, FileAccess.Write);
    }

    /// <summary>Writes to it, and tells what it shows then.</summary>
    /// <exception cref="TimeoutException">It does not show it.</exception>
    public Frame Show(double time, string output)
    {
        // The title that is set behind the output says that tmux has come so far.
        string title = $"shown {++_shown}";
        _output.Write(Encoding.UTF8.GetBytes($"{output}\e]2;{title}\a"));
        _output.Flush();
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            string[] lines = Tmux("display-message", "-p", "-t", "demo", "#{cursor_flag} #{cursor_x} #{cursor_y} #{pane_title}", ";",
                "capture-pane", "-e", "-p", "-t", "demo").TrimEnd('\n').Split('\n');
            string[] state = lines[0].Split(' ', 4);
            if (state is [string flag, string x, string y, string reached] && reached == title)
            {
                StyledText text = new();
                return new(time, [.. lines.Skip(1).Select(text.Read)], flag == "1" ? int.Parse(x, CultureInfo.InvariantCulture) : -1,
                    int.Parse(y, CultureInfo.InvariantCulture));
            }

            if (Stopwatch.GetElapsedTime(start) > Patience)
                throw new TimeoutException($"tmux does not show the output of {time.ToString("F1", CultureInfo.InvariantCulture)} s");
        }
    }

    public void Dispose()
    {
        Tmux("kill-server"); // first: it ends with its pane, and that with the output
        _output.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string Tmux(params string[] arguments) => Run("tmux", ["-u", "-S", Path.Combine(_folder, "tmux"), .. arguments]);

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            Environment = { ["LC_ALL"] = "C.UTF-8" },
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new IOException($"{program}: {errors.Result.TrimEnd()}");
    }
}
