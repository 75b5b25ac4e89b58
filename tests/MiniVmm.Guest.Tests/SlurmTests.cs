using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace MiniVmm.Guest.Tests;

/// <summary>The job of docs/ci.md as it stands there, on a Slurm of one node.</summary>
public sealed partial class SlurmTests(SlurmNode slurm) : IClassFixture<SlurmNode>, IClassFixture<UsableKvm>
{
    [Fact]
    public async Task An_array_of_four_shards_together_is_one_run()
    {
        using TemporaryFolder folder = new();
        CopySuite(folder, "*");

        MinivmmResult job = await SubmitAsync(folder);
        MinivmmResult merged = await InFolderAsync(folder, $"{Built.MiniVmm} test merge --json results/?.json");
        MinivmmResult whole = await InFolderAsync(folder, $"{Built.MiniVmm} test tests --json");

        job.With(ExitStatus.TestsFailed);
        Assert.Equal(Outcomes(whole.With(ExitStatus.TestsFailed).Output), Outcomes(merged.With(ExitStatus.TestsFailed).Output));
        Assert.Equal(14, Outcomes(merged.Output).Count);
        Assert.StartsWith("shard 3/4 (SLURM_ARRAY_TASK_ID)\n", await File.ReadAllTextAsync(folder["results/2.log"]), StringComparison.Ordinal);
        Assert.EndsWith("not green: 10 of 14 tests did not pass\n", await File.ReadAllTextAsync(folder["results/merged.log"]), StringComparison.Ordinal);
        Assert.Equal(14, XDocument.Load(folder["results/merged.xml"]).Descendants("testcase").Count());
    }

    [Fact]
    public async Task It_is_green_where_all_pass_and_not_where_a_shard_is_lost()
    {
        using TemporaryFolder folder = new();
        foreach (string kernel in (string[])["pass", "tap", "rust", "not-run"])
            CopySuite(folder, $"{kernel}.*");

        MinivmmResult job = await SubmitAsync(folder);
        File.Delete(folder["results/1.json"]);
        MinivmmResult incomplete = await InFolderAsync(folder, $"{Built.MiniVmm} test merge results/?.json");

        // One shard has only the test that is not to run, and is not green by itself.
        job.With(ExitStatus.Success);
        Assert.Contains("not green: nothing passed", string.Concat(Directory.GetFiles(folder["results"], "?.log").Select(File.ReadAllText)), StringComparison.Ordinal);
        Assert.Contains("not green: 1 of 4 shards missing: 2\n", incomplete.With(ExitStatus.TestsFailed).Output, StringComparison.Ordinal);
    }

    /// <summary>Does what the page says, in the folder.</summary>
    private async Task<MinivmmResult> SubmitAsync(TemporaryFolder folder)
    {
        string[] scripts = [.. Bash().Matches(await File.ReadAllTextAsync(Built.Page("ci.md"))).Select(match => match.Groups[1].Value)];
        Assert.Equal(2, scripts.Length);
        await File.WriteAllTextAsync(folder["kernel-tests.sh"], scripts[0]);
        return await InFolderAsync(folder, scripts[1]);
    }

    private Task<MinivmmResult> InFolderAsync(TemporaryFolder folder, string script) => MinivmmProcess.RunProgramAsync(
        "env",
        [
            $"--chdir={folder.Path}", .. slurm.Environment, $"PATH={Path.GetDirectoryName(Built.MiniVmm)}:{Environment.GetEnvironmentVariable("PATH")}",
            "bash", "-euc", script,
        ]);

    private static void CopySuite(TemporaryFolder folder, string pattern)
    {
        Directory.CreateDirectory(folder["tests"]);
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(Built.Guest("suite/pass.elf"))!, pattern))
            File.Copy(file, folder[$"tests/{Path.GetFileName(file)}"]);
    }

    private static Dictionary<string, string> Outcomes(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("tests").EnumerateArray().ToDictionary(
            test => test.GetProperty("name").GetString()!,
            test => $"{test.GetProperty("verdict").GetString()}: {test.GetProperty("reason").GetString()}\n{test.GetProperty("output").GetString()}");
    }

    [GeneratedRegex("^```bash\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Bash();
}
