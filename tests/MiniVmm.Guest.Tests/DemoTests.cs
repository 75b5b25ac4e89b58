using System.Diagnostics;
using System.Text.Json;

namespace MiniVmm.Guest.Tests;

/// <summary>docs/demo/record, which make demo calls.</summary>
public sealed class DemoTests : IClassFixture<UsableKvm>
{
    private static string Record => Path.Combine(Built.Root, "docs", "demo", "record");

    [Fact]
    public async Task A_scene_is_recorded_and_drawn()
    {
        using TemporaryFolder folder = new();
        using MinivmmProcess record = MinivmmProcess.StartProgram(Record, "--into", folder.Path, "boot");
        int id = record.Id;
        (await record.EndAsync()).With(ExitStatus.Success);

        Assert.Equal(["demo.cast", "demo.svg"], folder.Entries.Order());
        string cast = await File.ReadAllTextAsync(folder["demo.cast"], TestContext.Current.CancellationToken);
        Assert.StartsWith("{\"version\": 2, \"width\": 116, \"height\": 30, ", cast, StringComparison.Ordinal);
        Assert.Contains("hello: ok", Printed(cast), StringComparison.Ordinal);
        Assert.Contains(">hello: ok</text>", await File.ReadAllTextAsync(folder["demo.svg"], TestContext.Current.CancellationToken), StringComparison.Ordinal);
        await UntilAsync("what it started has ended", () => !Started(id).Any());
    }

    [Fact]
    public async Task An_interrupted_one_ends_all_that_it_has_started_and_leaves_no_file()
    {
        using TemporaryFolder folder = new();
        using MinivmmProcess record = MinivmmProcess.StartProgram(
            "env", "--default-signal=INT", Record, "--into", folder.Path, "top");
        int id = record.Id;
        await UntilAsync("it starts a machine", () => Started(id).Any(command => command.Contains("pio-out 9", StringComparison.Ordinal)));
        record.Signal(MinivmmProcess.SIGINT);
        (await record.EndAsync()).With(ExitStatus.Interrupted);

        Assert.Empty(folder.Entries);
        await UntilAsync("what it started has ended", () => !Started(id).Any());
    }

    [Fact]
    public async Task A_host_without_KVM_is_told_of()
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test takes /dev/kvm away, so it needs root.");
        using TemporaryFolder folder = new();
        MinivmmResult run = await MinivmmProcess.RunProgramAsync("unshare", "--mount", "sh", "-c",
            "mount --bind /dev/null /dev/kvm && exec \"$0\" --into \"$1\" boot", Record, folder.Path);

        Assert.EndsWith("record: this host cannot run guests; see above\n", run.With(1).Errors, StringComparison.Ordinal);
        Assert.Contains("Guests cannot run here:", run.Errors, StringComparison.Ordinal);
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public async Task A_scene_that_there_is_not_is_refused()
    {
        using TemporaryFolder folder = new();
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(Record, "--into", folder.Path, "bot");

        Assert.Equal("record: no scene is called 'bot'; there are boot, crash, trace and top\n", run.With(1).Errors);
    }

    /// <summary>What an asciicast's events print together: a line may come in pieces.</summary>
    private static string Printed(string cast) => string.Concat(cast.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
        .Select(line => JsonSerializer.Deserialize<JsonElement>(line))
        .Where(happened => happened[1].GetString() == "o")
        .Select(happened => happened[2].GetString()));

    private static async Task UntilAsync(string what, Func<bool> isSo)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!isSo())
        {
            Assert.True(waited.Elapsed < Transcript.Deadline, $"It does not come to it that {what}.");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Command lines of processes in the environment that a recorder makes for what it starts.</summary>
    private static IEnumerable<string> Started(int id)
    {
        foreach (string folder in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out int process) || process == id)
                continue;
            string? command = Told($"{folder}/environ")?.Contains($"MINIVMM_DEMO={id}\0", StringComparison.Ordinal) == true
                ? Told($"{folder}/cmdline")
                : null;
            if (command is not null)
                yield return command.Replace('\0', ' ');
        }
    }

    /// <summary>A file of /proc's; null when its process has ended meanwhile.</summary>
    private static string? Told(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
