using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary>The lab as the machines' host: its commands, and what its kernel says of a process.</summary>
public static class LabHost
{
    /// <summary>Runs a line of bash, which must end with status 0, and gives its standard output.</summary>
    public static async Task<string> ShellAsync(string line)
    {
        (int status, string output, string errors) = await TryShellAsync(line);
        Assert.True(status == 0, $"`{line}` ended with status {status}:\n{output}{errors}");
        return output;
    }

    public static async Task<(int Status, string Output, string Errors)> TryShellAsync(string line)
    {
        ProcessStartInfo start = new("bash", ["-c", $"PATH=$PATH:/usr/sbin:/sbin; {line}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output, await errors);
    }

    /// <summary>Runs <c>minivmm</c> with these words, which must end with status 0.</summary>
    public static Task<string> MiniVmmAsync(string words) => ShellAsync($"'{Lab.MiniVmm}' {words}");

    /// <summary>What <c>minivmm ctl NAME stats</c> says of a machine.</summary>
    public static async Task<JsonElement> StatisticsAsync(string name)
    {
        JsonElement answer = JsonDocument.Parse(await MiniVmmAsync($"ctl {name} stats --json")).RootElement;
        return answer.TryGetProperty("statistics", out JsonElement statistics) ? statistics : answer;
    }

    /// <summary>Bytes of a process that are resident.</summary>
    public static long ResidentBytes(int process) => MemoryOf(process, "VmRSS");

    /// <summary>Bytes of a process by a line of its status.</summary>
    public static long MemoryOf(int process, string line) =>
        1024 * long.Parse(
            File.ReadLines($"/proc/{process}/status")
                .Single(each => each.StartsWith($"{line}:", StringComparison.Ordinal))
                .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture);

    /// <summary>A number that the kernel gives as a file.</summary>
    public static long Number(string path) => long.Parse(File.ReadAllText(path), CultureInfo.InvariantCulture);

    /// <summary>Looks again and again, for at most <paramref name="seconds"/>; gives what was seen last.</summary>
    public static async Task<long> UntilAsync(Func<long> look, Func<long, bool> enough, int seconds = 30)
    {
        Stopwatch waited = Stopwatch.StartNew();
        long seen = look();
        while (!enough(seen) && waited.Elapsed < TimeSpan.FromSeconds(seconds))
        {
            await Task.Delay(100);
            seen = look();
        }

        return seen;
    }

    /// <summary>
    /// A file system of its own in the lab's memory, which can do what the one below the tests cannot: O_DIRECT.
    /// </summary>
    public static async Task<string> MakeDiskFolderAsync(int mebibytes)
    {
        const string folder = "/tmp/disks";
        await ShellAsync($"modprobe brd rd_nr=1 rd_size={mebibytes * 1024} && mke2fs -q -t ext4 /dev/ram0 && " +
            $"mkdir -p {folder} && mount /dev/ram0 {folder}");
        return folder;
    }
}
