using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Compare;

/// <summary>What one program measured of one kind of exit, once.</summary>
/// <param name="Median">Of the latency, in nanoseconds.</param>
/// <param name="Own">
/// Median of the time from KVM_RUN's return to the next KVM_RUN, in nanoseconds, the clock's readings included; null
/// where the exits do not come to user space.
/// </param>
internal readonly record struct Reading(double Median, double? Own);

/// <summary>A program that measures exits: takes <c>--only</c>, <c>--count</c> and <c>--json</c>, and writes JSON.</summary>
/// <param name="name">For people.</param>
/// <param name="command">The program and its first arguments.</param>
internal sealed class Contestant(string name, IReadOnlyList<string> command)
{
    private static readonly TimeSpan TimeToHang = TimeSpan.FromMinutes(2);

    public string Name => name;

    /// <summary>What it said of its own figures, with how often: not all measured, or not to be trusted.</summary>
    public Dictionary<string, int> Complaints { get; } = [];

    /// <summary>Runs it to its end.</summary>
    /// <param name="kinds">What to measure.</param>
    /// <param name="count">Samples of each.</param>
    /// <returns>A reading of each kind that it could measure.</returns>
    /// <exception cref="InvalidDataException">It failed, or wrote something else.</exception>
    public Dictionary<string, Reading> Measure(IEnumerable<string> kinds, int count)
    {
        ProcessStartInfo start = new(command[0]) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] options = ["--only", string.Join(',', kinds), "--count", count.ToString(CultureInfo.InvariantCulture)];
        foreach (string argument in command.Skip(1).Concat(options).Append("--json"))
            start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(TimeToHang))
        {
            process.Kill();
            throw new InvalidDataException($"{name} hangs");
        }

        string complaint = errors.Result.TrimEnd();
        bool measured = process.ExitCode is ExitStatus.Success or ExitStatus.HostLimit or ExitStatus.Untrusted;
        if (!measured || output.Result.Length == 0)
            throw new InvalidDataException($"{name} ended with status {process.ExitCode}: {complaint}");
        if (process.ExitCode != ExitStatus.Success)
            Complaints[complaint] = Complaints.GetValueOrDefault(complaint) + 1;
        using JsonDocument json = JsonDocument.Parse(output.Result);
        return Read(json.RootElement);
    }

    private static Dictionary<string, Reading> Read(JsonElement report)
    {
        Dictionary<string, Reading> readings = [];
        foreach (JsonElement loop in report.GetProperty("loops").EnumerateArray())
        {
            if (!loop.TryGetProperty("latency", out JsonElement latency))
                continue;
            double? own = loop.TryGetProperty("split", out JsonElement split) ? Median(split.GetProperty("own")) : null;
            readings.Add(loop.GetProperty("name").GetString()!, new(Median(latency), own));
        }

        return readings;
    }

    private static double Median(JsonElement distribution) => distribution.GetProperty("p50").GetDouble();
}
