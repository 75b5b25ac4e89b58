using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>Three Linux guests of one configuration under <c>minivmm serve</c>, from its start to SIGTERM.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
public sealed partial class ServeTests : IDisposable
{
    private const int Port = 9464;

    private static readonly string[] Names = ["cache", "db", "web"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("minivmm-serve-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_guest_that_panics_comes_back_all_are_seen_and_SIGTERM_ends_them_by_their_power_buttons()
    {
        await using VmmProcess serve = VmmProcess.Start(
            "serve", Lab.MiniVmm, "serve", "--metrics", $"{Port}", await WriteConfigurationAsync());

        // Each listens to its button; web panics first, and is restarted.
        await UntilAsync(serve, () => Names.All(name => Lines(serve, name).Contains("lab: end button")), "are ready");
        Assert.Contains("lab: panicking", Lines(serve, "web"));
        Assert.Matches("web: stopped: Reset", serve.Output);

        Assert.Equal(
            [("cache", "running", 0), ("db", "running", 0), ("web", "running", 1)],
            await ListAsync());
        await AssertMetricsAgreeAsync();

        await LabHost.MiniVmmAsync("ctl cache stop");
        Assert.Equal(("cache", "stopped", 0), (await ListAsync())[0]);
        (int status, _, string refusal) = await LabHost.TryShellAsync($"'{Lab.MiniVmm}' ctl cache stats");
        Assert.Equal(
            (ExitStatus.BadInput, "minivmm: machine cache: it is stopped; start it with 'minivmm ctl cache start'\n"),
            (status, refusal));
        await LabHost.MiniVmmAsync("ctl cache start");
        await UntilAsync(serve, () => Lines(serve, "cache").Count(line => line == "lab: end button") == 2, "started again");

        serve.Signal(VmmProcess.SIGTERM);
        await serve.AssertExitAsync(ExitStatus.Success);

        Assert.All(Names, name => Assert.Matches($"{name}: power button pressed(?s:.*){name}: stopped: PowerOff", serve.Output));
        Assert.DoesNotContain("is stopped", serve.Output, StringComparison.Ordinal);
        Assert.Equal("", serve.Errors);
    }

    /// <summary>The exits of a metrics scrape lie between those of two looks by ctl.</summary>
    private static async Task AssertMetricsAgreeAsync()
    {
        string[] oneRun = ["cache", "db"]; // web's metrics have those of its first run, too
        Dictionary<(string, string), long> before = await ReadExitsAsync(oneRun);
        using HttpClient client = new();
        string text = await client.GetStringAsync(
            new Uri($"http://localhost:{Port}/metrics"), TestContext.Current.CancellationToken);
        Dictionary<(string, string), long> after = await ReadExitsAsync(oneRun);

        Dictionary<(string, string), long> exported = ExitMetric().Matches(text)
            .Select(match => (Labels: Label().Matches(match.Groups["labels"].Value)
                .ToDictionary(label => label.Groups["name"].Value, label => label.Groups["value"].Value), match))
            .ToDictionary(
                row => (row.Labels["machine_name"], row.Labels["minivmm_exit_reason"]),
                row => long.Parse(row.match.Groups["count"].Value, CultureInfo.InvariantCulture));
        Assert.NotEmpty(before);
        Assert.All(before, row => Assert.InRange(exported[row.Key], row.Value, after[row.Key]));
        Assert.True(exported[("web", "KVM_EXIT_IO")] > 0);
    }

    private static async Task<Dictionary<(string Machine, string Reason), long>> ReadExitsAsync(string[] machines)
    {
        Dictionary<(string, string), long> exits = [];
        foreach (string machine in machines)
        {
            JsonElement statistics = await LabHost.StatisticsAsync(machine);
            foreach (JsonElement vcpu in statistics.GetProperty("vcpus").EnumerateArray())
            {
                foreach (JsonProperty reason in vcpu.GetProperty("byReason").EnumerateObject())
                    exits[(machine, reason.Name)] = exits.GetValueOrDefault((machine, reason.Name)) + reason.Value.GetInt64();
            }
        }

        return exits;
    }

    private static async Task<(string Name, string State, long Restarts)[]> ListAsync() =>
        [.. JsonDocument.Parse(await LabHost.MiniVmmAsync("ps --json")).RootElement.EnumerateArray().Select(info => (
            info.GetProperty("name").GetString()!,
            info.GetProperty("state").GetString()!,
            info.GetProperty("restarts").GetInt64()))];

    /// <summary>What a guest has printed, from the host's log.</summary>
    private static string[] Lines(VmmProcess serve, string name) =>
    [
        .. serve.Output.Split('\n').Select(line => line.Split($"MiniVmm.{name}.Console[13] ")).Where(parts => parts.Length == 2)
            .Select(parts => parts[1].Trim()),
    ];

    private static async Task UntilAsync(VmmProcess serve, Func<bool> condition, string what) => Assert.True(
        await LabHost.UntilAsync(() => condition() ? 1 : 0, seen => seen == 1, seconds: 150) == 1,
        $"The guests were waited for until they {what}:\n{serve.Output}{serve.Errors}");

    private async Task<string> WriteConfigurationAsync()
    {
        string disk = Path.Combine(_folder.FullName, "once.img");
        await File.WriteAllBytesAsync(disk, new byte[1 << 20]);
        string file = Path.Combine(_folder.FullName, "machines.json");
        await File.WriteAllTextAsync(file, $$"""
            {
              "VirtualMachines": {
                "web": { {{Linux("panic-once,button")}}, "Disk": ["{{disk}}"], "Restart": "on-failure", "RestartDelay": 0.1 },
                "db": { {{Linux("button")}}, "Smp": 2 },
                "cache": { {{Linux("button")}} }
              }
            }
            """);
        return file;
    }

    private static string Linux(string actions) =>
        $"""
        "Kernel": "{Lab.Guest("vmlinuz-cloud")}", "Initrd": "{Lab.Guest("linux-devices.gz")}", "Mem": "256M",
        "Append": "console=ttyS0 panic=-1 quiet lab.do={actions},sleep"
        """;

    [GeneratedRegex(@"^minivmm_vcpu_exits_total\{(?<labels>[^}]*)\} (?<count>\d+)", RegexOptions.Multiline)]
    private static partial Regex ExitMetric();

    [GeneratedRegex("(?<name>[a-z_]+)=\"(?<value>[^\"]*)\"")]
    private static partial Regex Label();
}
