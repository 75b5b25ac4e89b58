using System.Text.Json;
using System.Xml.Linq;

namespace MiniVmm.Guest.Tests;

/// <summary><c>minivmm test</c> on real machines: the suite's kernels do what tests do, and each is told for what it is.</summary>
public sealed class TestCommandTests : IClassFixture<UsableKvm>
{
    private static readonly Dictionary<string, string> Truth = new()
    {
        ["crash.elf"] = "crash",
        ["early.elf"] = "fail",
        ["empty.elf"] = "empty",
        ["fail-exit.elf"] = "fail",
        ["fail-text.elf"] = "fail",
        ["hang.elf"] = "timeout",
        ["not-run.elf"] = "skip",
        ["panic.elf"] = "panic",
        ["pass.elf"] = "pass",
        ["rust.elf"] = "pass",
        ["skip.elf"] = "skipped-itself",
        ["tap-fail.elf"] = "fail",
        ["tap-short.elf"] = "fail",
        ["tap.elf"] = "pass",
    };

    private static string Suite => Path.GetDirectoryName(Built.Guest("suite/pass.elf"))!;

    [Fact]
    public async Task Each_kernel_of_the_suite_is_told_for_what_it_is()
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunAsync("test", Suite, "--jobs", "2", "--json", "--junit", folder["r.xml"]);

        run.With(ExitStatus.TestsFailed);
        Assert.Equal(Truth, Verdicts(run.Output));
        Assert.Contains("3 passed, 5 failed, 1 panicked, 1 crashed, 1 timed out, 1 printed nothing, 1 skipped themselves, 1 skipped, in ", run.Errors, StringComparison.Ordinal);
        Assert.EndsWith("not green: 10 of 14 tests did not pass\n", run.Errors, StringComparison.Ordinal);
        XElement suite = XDocument.Load(folder["r.xml"]).Root!.Element("testsuite")!;
        Assert.Equal(
            ("14", "10", "0", "1"),
            ((string)suite.Attribute("tests")!, (string)suite.Attribute("failures")!, (string)suite.Attribute("errors")!, (string)suite.Attribute("skipped")!));
    }

    [Fact]
    public async Task What_failed_is_shown_with_its_output_and_report()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("test", Path.Combine(Suite, "crash.elf"), Path.Combine(Suite, "early.elf"));

        run.With(ExitStatus.TestsFailed);
        Assert.Contains("  | about to die\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("triple fault", run.Output, StringComparison.Ordinal);
        Assert.Contains("powered off before it printed \"all is well\"", run.Output, StringComparison.Ordinal);
        Assert.Contains("  | starting\n", run.Output, StringComparison.Ordinal);
        Assert.Equal("", run.Errors);
    }

    [Theory]
    [InlineData("pass.elf")]
    [InlineData("pass.elf", "tap.elf", "not-run.elf", "rust.elf")]
    public async Task What_passes_is_green(params string[] kernels)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["test", .. kernels.Select(kernel => Path.Combine(Suite, kernel))]);

        run.With(ExitStatus.Success);
        Assert.DoesNotContain("not green", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not-run.elf", "nothing passed: 0 passed, 1 skipped")]
    [InlineData("skip.elf", "1 of 1 test did not pass")]
    [InlineData("empty.elf", "1 of 1 test did not pass")]
    public async Task A_skip_or_silence_alone_is_not_green(string kernel, string reason)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("test", Path.Combine(Suite, kernel));

        run.With(ExitStatus.TestsFailed);
        Assert.EndsWith($"not green: {reason}\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_without_kernels_is_not_green()
    {
        using TemporaryFolder folder = new();
        (await MinivmmProcess.RunAsync("test", folder.Path)).With(ExitStatus.TestsFailed);
        folder.Write("README", "nothing to boot\n"u8);

        MinivmmResult run = await MinivmmProcess.RunAsync("test", folder.Path, "--junit", folder["r.xml"]);

        run.With(ExitStatus.TestsFailed);
        Assert.EndsWith("not green: nothing ran: the only file is no kernel\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("<error type=\"run\"", await File.ReadAllTextAsync(folder["r.xml"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--expect: the text is empty", "--expect", "")]
    [InlineData("--expect-exit 2: not an exit status of a guest's", "--expect-exit", "2")]
    [InlineData("--timeout never: not a number of seconds", "--timeout", "never")]
    [InlineData("--jobs 0: not a whole number from 1 to 1024", "--jobs", "0")]
    [InlineData("--shard 5/4: not I/N", "--shard", "5/4")]
    [InlineData("--smp 3,cores=2: ", "--smp", "3,cores=2")]
    [InlineData("--junit /nowhere/r.xml: cannot be written", "--junit", "/nowhere/r.xml")]
    [InlineData("/nowhere/k.elf: no such file or folder", "/nowhere/k.elf")]
    public async Task A_bad_option_is_one_line(string message, params string[] options)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["test", Path.Combine(Suite, "pass.elf"), .. options]);

        Assert.StartsWith(message, run.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_expected_can_be_said_on_the_command_line()
    {
        string pass = Path.Combine(Suite, "pass.elf");
        (await MinivmmProcess.RunAsync("test", pass, "--expect", "three of three", "--expect", "pass: ok")).With(ExitStatus.Success);
        (await MinivmmProcess.RunAsync("test", pass, "--expect", "pass: ok", "--expect", "three of three")).With(ExitStatus.TestsFailed);
        (await MinivmmProcess.RunAsync("test", pass, "--expect-exit", "33")).With(ExitStatus.TestsFailed);
        (await MinivmmProcess.RunAsync("test", Built.Guest("exit-code.elf"), "--append", "16", "--expect-exit", "33")).With(ExitStatus.Success);
        (await MinivmmProcess.RunAsync("test", Built.Guest("smp.elf"), "--smp", "2", "--mem", "64M", "--expect", "counter 2000, ipis 2: ok"))
            .With(ExitStatus.Success);
    }

    [Fact]
    public async Task A_text_screen_counts_where_nothing_else_is_printed()
    {
        string screen = Built.Guest("screen.elf");
        MinivmmResult plain = await MinivmmProcess.RunAsync("run", screen);
        string line = plain.Output.Length > 0 ? "" : plain.ErrorLines.First(text => text.Contains("  | ", StringComparison.Ordinal)).Split("  | ")[1].Trim();

        Assert.NotEqual("", line);
        (await MinivmmProcess.RunAsync("test", screen, "--expect", line)).With(ExitStatus.Success);
        (await MinivmmProcess.RunAsync("test", screen, "--expect", "something else")).With(ExitStatus.TestsFailed);
    }

    [Fact]
    public async Task The_shards_of_a_run_together_are_the_run()
    {
        using TemporaryFolder folder = new();
        MinivmmResult whole = await MinivmmProcess.RunAsync("test", Suite, "--json");
        string[] parts = [.. Enumerable.Range(1, 4).Select(index => folder[$"{index}.json"])];
        for (int index = 1; index <= 4; index++)
        {
            MinivmmResult part = await MinivmmProcess.RunAsync("test", Suite, "--shard", $"{index}/4", "--json");
            await File.WriteAllTextAsync(parts[index - 1], part.With(ExitStatus.TestsFailed).Output);
        }

        MinivmmResult merged = await MinivmmProcess.RunAsync(["test", "merge", "--json", "--junit", folder["r.xml"], .. parts]);
        MinivmmResult incomplete = await MinivmmProcess.RunAsync(["test", "merge", .. parts[1..]]);

        Assert.Equal(Verdicts(whole.With(ExitStatus.TestsFailed).Output), Verdicts(merged.With(ExitStatus.TestsFailed).Output));
        Assert.Equal(14, XDocument.Load(folder["r.xml"]).Descendants("testcase").Count());
        Assert.Contains("not green: 1 of 4 shards missing: 1\n", incomplete.With(ExitStatus.TestsFailed).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shard_without_a_test_is_not_green_and_the_whole_is()
    {
        using TemporaryFolder folder = new();
        string pass = Path.Combine(Suite, "pass.elf");
        await File.WriteAllTextAsync(folder["1"], (await MinivmmProcess.RunAsync("test", pass, "--shard", "1/2", "--json")).With(ExitStatus.Success).Output);
        MinivmmResult empty = await MinivmmProcess.RunAsync("test", pass, "--shard", "2/2", "--json");
        await File.WriteAllTextAsync(folder["2"], empty.With(ExitStatus.TestsFailed).Output);

        Assert.EndsWith("not green: nothing ran: shard 2/2 has no test, of 1 in all\n", empty.Errors, StringComparison.Ordinal);
        (await MinivmmProcess.RunAsync("test", "merge", folder["1"], folder["2"])).With(ExitStatus.Success);
    }

    [Theory]
    [InlineData("SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=14 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=13 SLURM_ARRAY_TASK_STEP=1", "shard 4/14 (SLURM_ARRAY_TASK_ID)", "fail-exit.elf")]
    [InlineData("JOB_COMPLETION_INDEX=8 N=14", "shard 9/14 (JOB_COMPLETION_INDEX)", "pass.elf")]
    [InlineData("CI_NODE_INDEX=9 CI_NODE_TOTAL=14", "shard 9/14 (CI_NODE_INDEX)", "pass.elf")]
    public async Task The_environment_says_which_shard_it_is(string variables, string note, string kernel)
    {
        string[] set = variables.Split(' ');

        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "env", [.. set, Built.MiniVmm, "test", Suite, "--json", .. set is [_, "N=14"] ? ["--shards", "14"] : Array.Empty<string>()]);

        Assert.StartsWith(note + "\n", run.Errors, StringComparison.Ordinal);
        Assert.Equal([kernel], Verdicts(run.Output).Keys);
    }

    [Theory]
    [InlineData(MinivmmProcess.SIGINT)]
    [InlineData(MinivmmProcess.SIGTERM)]
    public async Task Interrupted_it_says_what_is_known(int signal)
    {
        using TemporaryFolder folder = new();
        File.Copy(Path.Combine(Suite, "pass.elf"), folder["a.elf"]);
        File.Copy(Path.Combine(Suite, "hang.elf"), folder["b.elf"]);
        using MinivmmProcess process = MinivmmProcess.Start(
            "test", folder.Path, "--jobs", "1", "--timeout", "120", "--junit", folder["r.xml"]);
        await process.Output.WaitForAsync("pass ");
        await Task.Delay(TimeSpan.FromMilliseconds(300)); // into the second one's run, most times; else it has not begun
        process.Signal(signal);
        MinivmmResult run = await process.EndAsync();

        run.With(ExitStatus.Interrupted);
        Assert.Contains("1 passed, 1 not run, in ", run.Output, StringComparison.Ordinal);
        Assert.Contains("<error type=\"not-run\" message=\"interrupted\">", await File.ReadAllTextAsync(folder["r.xml"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_KVM_the_host_is_at_fault_and_nothing_runs()
    {
        using TemporaryFolder folder = new();
        File.Copy(Path.Combine(Suite, "pass.elf"), folder["pass.elf"]);

        Assert.Contains("/dev/kvm", (await OtherUser.RunAsync("test", folder.Path)).With(ExitStatus.HostLimit).OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_of_which_no_machine_can_be_made_is_an_error_and_the_others_run()
    {
        using TemporaryFolder folder = new();
        File.Copy(Path.Combine(Suite, "pass.elf"), folder["b.elf"]);
        folder.Write("a.elf", (await File.ReadAllBytesAsync(Path.Combine(Suite, "pass.elf"))).AsSpan(0, 5000));
        folder.Write("c.test", "expect: x\n"u8);

        MinivmmResult run = await MinivmmProcess.RunAsync("test", folder.Path, "--json");

        run.With(ExitStatus.TestsFailed);
        Assert.Equal(new() { ["a.elf"] = "error", ["b.elf"] = "pass", ["c.test"] = "error" }, Verdicts(run.Output));
    }

    [Fact]
    public async Task On_a_terminal_it_shows_what_runs_and_leaves_lines_behind()
    {
        using PseudoTerminal terminal = new();
        using MinivmmProcess vmm = terminal.StartProgram(
            "sh", "-c", "stty cols 250 && exec \"$@\"", "sh", Built.MiniVmm, "test", Suite, "--jobs", "2");
        (await vmm.EndAsync()).With(ExitStatus.TestsFailed);

        await terminal.Screen.WaitForAsync("not green: ");
        string screen = await terminal.CloseWithoutColoursAsync();
        Assert.Contains("/14 ", screen, StringComparison.Ordinal);
        Assert.All(Truth, row => Assert.Matches($@"{row.Value} +\d+\.\d\d s  [^\n]*{row.Key.Replace(".", "\\.", StringComparison.Ordinal)}", screen));
    }

    [Fact]
    public async Task A_guest_that_prints_without_end_is_read_to_its_time_and_kept_in_part()
    {
        using TemporaryFolder folder = new();
        string endless = folder.Write("endless.bin", FlatKernel.PrintingWithoutEnd);

        MinivmmResult run = await MinivmmProcess.RunAsync("test", endless, "--json", "--timeout", "3");

        Assert.Equal("timeout", Verdicts(run.With(ExitStatus.TestsFailed).Output)["endless.bin"]);
        Assert.InRange(run.Output.Length, 1000, 500_000);
    }

    private static Dictionary<string, string> Verdicts(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("tests").EnumerateArray().ToDictionary(
            test => Path.GetFileName(test.GetProperty("name").GetString()!), test => test.GetProperty("verdict").GetString()!);
    }
}
