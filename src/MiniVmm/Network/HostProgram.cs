using System.ComponentModel;
using System.Diagnostics;

namespace MiniVmm.Network;

/// <summary>A program of the host that sets up a part of its network, and exits.</summary>
/// <param name="name">As in "nft".</param>
/// <param name="package">Its Debian package, for the error when it is missing.</param>
internal sealed class HostProgram(string name, string package)
{
    // Where such programs are, independent of the caller's PATH.
    private static readonly string[] Folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"];

    /// <exception cref="HostLimitException">It is not installed.</exception>
    public string Find(NamedOption option) =>
        Folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
        ?? throw new HostLimitException(
            $"{option}: needs the program {name}; install it (package {package}), or use {OptionName.Net.With("user")}");

    /// <summary>Runs it and waits for it.</summary>
    /// <param name="option">What errors start with.</param>
    /// <param name="arguments">One each.</param>
    /// <param name="input">What it reads; may be empty.</param>
    /// <exception cref="HostLimitException">It is not installed, or fails.</exception>
    public void Run(NamedOption option, IEnumerable<string> arguments, string input)
    {
        string path = Find(option);
        ProcessStartInfo start = new(path, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        try
        {
            using Process process = Process.Start(start)!;
            Give(process.StandardInput, input);
            string complaint = process.StandardError.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0)
            {
                string line = complaint.Split('\n', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault() ?? "";
                throw new HostLimitException(
                    $"{option}: {name} failed with status {process.ExitCode}: {line.Trim()}");
            }
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            throw new HostLimitException($"{option}: {path} cannot be run: {e.Message}", e);
        }
    }

    private static void Give(StreamWriter program, string input)
    {
        try
        {
            using (program)
                program.Write(input);
        }
        catch (IOException)
        {
            // It ended before it had read all, and its status and its complaint say why.
        }
    }
}
