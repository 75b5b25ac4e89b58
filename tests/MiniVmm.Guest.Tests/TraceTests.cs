using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary>Traces of guests: <c>--trace</c>, <c>--trace-file</c>, and what <c>minivmm trace</c> makes of files.</summary>
public sealed partial class TraceTests : IClassFixture<UsableKvm>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Each_exit_is_a_line_with_the_function_the_instruction_and_the_devices_words()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--trace", "io,port=0x3f8", Built.Guest("hello.elf"));

        run.With(ExitStatus.Success);
        string[] lines = [.. run.ErrorLines.Skip(1)];
        Assert.All(lines, line => Assert.Matches(Line(), line));
        Assert.All(lines, line => Assert.InRange(line.Length, 1, 120));
        string transmitted = string.Concat(lines.Select(line => Transmitted().Match(line).Groups["letter"].Value));
        Assert.Equal(run.Output.Replace("\n", "\\n", StringComparison.Ordinal), transmitted);
    }

    [Fact]
    public async Task A_System_map_or_an_ELF_file_names_functions_in_place_of_the_kernels_own()
    {
        await File.WriteAllTextAsync(_folder["System.map"], "00100000 T from_the_map\n00200000 B end\n", TestContext.Current.CancellationToken);

        MinivmmResult map = await MinivmmProcess.RunAsync("run", "--trace", "io,limit=3", "--symbols", _folder["System.map"], Built.Guest("hello.elf"));
        MinivmmResult elf = await MinivmmProcess.RunAsync("run", "--trace", "io,limit=3", "--symbols", Built.Guest("hello.elf"), Built.Guest("hello.elf"));
        MinivmmResult mortem = await MinivmmProcess.RunAsync(
            "run", "--timeout", "1", "--symbols", _folder["System.map"], Built.Guest("crash.elf"), "--append", "hang");

        Assert.All(map.With(ExitStatus.Success).ErrorLines.Skip(1), line => Assert.Matches(" from_the_map[+]0x[0-9a-f]+ ", line));
        Assert.All(elf.With(ExitStatus.Success).ErrorLines.Skip(1), line => Assert.Matches(" put[+]0x[0-9a-f]+ ", line));
        Assert.Contains("(from_the_map+0x", mortem.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_without_symbols_is_refused_before_the_guest_runs()
    {
        string file = _folder["System.map"];
        await File.WriteAllTextAsync(file, "00100000 T main\nend\n", TestContext.Current.CancellationToken);

        MinivmmResult broken = await MinivmmProcess.RunAsync("run", "--symbols", file, Built.Guest("hello.elf"));
        MinivmmResult missing = await MinivmmProcess.RunAsync("run", "--symbols", "/nowhere/vmlinux", Built.Guest("hello.elf"));

        Assert.Equal(
            $"--symbols {file}: is neither an ELF file nor a System.map: line 2 is not an address, a letter and a name",
            broken.With(ExitStatus.BadInput).OnlyLine());
        Assert.Equal("--symbols /nowhere/vmlinux: no such file", missing.With(ExitStatus.BadInput).OnlyLine());
        Assert.Empty(broken.Output);
    }

    [Theory]
    [InlineData("hello.elf", 1)]
    [InlineData("hello.elf", 2)]
    [InlineData("smp.elf", 2)]
    [InlineData("timer.elf", 2)]
    public async Task The_summary_of_a_trace_agrees_with_the_statistics_to_the_count(string kernel, int vcpus)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--stats", "--trace-file", _folder["trace.json"], "--smp", $"{vcpus}", Built.Guest(kernel));
        MinivmmResult summary = await MinivmmProcess.RunAsync("trace", "summary", _folder["trace.json"]);

        run.With(ExitStatus.Success);
        Dictionary<string, long[]> counted = Exits(run.Errors);
        Assert.True(counted["all"][0] > 10);
        Assert.Equivalent(counted, Exits(summary.With(ExitStatus.Success).Output), strict: true);
        Assert.Equal(new long[vcpus], Row(run.Errors, "bytes allocated"));
    }

    [Fact]
    public async Task Ten_thousand_exits_are_traced_without_an_allocation_or_a_loss()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--stats", "--trace-file", _folder["trace.json"], Built.Guest("crash.elf"), "--append", "exits 10000");
        MinivmmResult summary = await MinivmmProcess.RunAsync("trace", "summary", _folder["trace.json"]);

        Assert.Equal(Exits(run.With(ExitStatus.Success).Errors)["all"], Exits(summary.With(ExitStatus.Success).Output)["all"]);
        Assert.Equal([0], Row(run.Errors, "bytes allocated"));
        using JsonDocument file = JsonDocument.Parse(await File.ReadAllTextAsync(_folder["trace.json"], TestContext.Current.CancellationToken));
        Assert.Equal(0, file.RootElement.GetProperty("otherData").GetProperty("lost").GetInt64());
    }

    [Fact]
    public async Task Perfettos_format_is_read_by_protoc_with_the_same_exits_and_nothing_unknown()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--trace", "exits", "--trace-file", _folder["trace.pftrace"], "--smp", "2", Built.Guest("hello.elf"));
        MinivmmResult summary = await MinivmmProcess.RunAsync("trace", "summary", _folder["trace.pftrace"]);
        MinivmmResult decoded = await MinivmmProcess.RunProgramAsync(
            "bash", "-c", "protoc --proto_path=\"$0\" --decode=perfetto.protos.Trace perfetto.proto <\"$1\"",
            Path.Combine(Built.Root, "tests", "MiniVmm.Guest.Tests"), _folder["trace.pftrace"]);

        run.With(ExitStatus.Success);
        string[] lines = [.. decoded.With(ExitStatus.Success).Output.Split('\n').Select(line => line.Trim())];
        Assert.DoesNotContain(lines, line => line.Length > 0 && char.IsAsciiDigit(line[0])); // a field by its number alone
        long exits = Exits(summary.With(ExitStatus.Success).Output)["all"].Sum();
        Assert.Equal(2 * exits, lines.Count(line => line == "type: TYPE_SLICE_BEGIN")); // the guest, and the exit
        Assert.Equal(2 * exits, lines.Count(line => line == "type: TYPE_SLICE_END"));
        Assert.Contains("thread_name: \"vCPU 1\"", lines);
        Assert.Contains(lines, line => line.StartsWith("double_counter_value: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_limit_ends_the_trace_and_not_the_guest()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--trace", "io,after=5,limit=7", Built.Guest("hello.elf"));

        Assert.Equal(7, run.With(ExitStatus.Success).ErrorLines.Skip(1).Count());
        Assert.Contains("hello: ok", run.Output);
    }

    [Fact]
    public async Task Only_the_vCPU_that_is_asked_for_is_shown()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--smp", "2", "--trace", "exits,vcpu=1", Built.Guest("smp.elf"));

        Assert.All(run.With(ExitStatus.Success).ErrorLines.Skip(1), line => Assert.Matches("^ +[0-9.]+ +[0-9.]+ +1 ", line));
    }

    [Theory]
    [InlineData("--trace", "exits,vcpu=1", "--trace exits,vcpu=1: the machine has vCPUs 0 to 0")]
    [InlineData("--trace", "words", "--trace words: 'words' cannot be traced")]
    [InlineData("--trace-file", "/nowhere/trace.json", "--trace-file /nowhere/trace.json: cannot be written")]
    public async Task What_cannot_be_traced_is_said_before_the_guest_runs(string option, string value, string message)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", option, value, Built.Guest("hello.elf"));

        Assert.StartsWith(message, run.With(ExitStatus.BadInput).OnlyLine());
    }

    [Fact]
    public async Task A_full_disk_ends_the_trace_and_not_the_guest()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--trace-file", "/dev/full", Built.Guest("hello.elf"));

        Assert.StartsWith(
            "minivmm: warning: --trace-file: the trace ends early: ", Assert.Single(run.With(ExitStatus.Success).ErrorLines));
        Assert.Contains("hello: ok", run.Output);
    }

    [Fact]
    public async Task A_crash_is_traced_up_to_its_last_exit()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--trace", "exits", Built.Guest("crash.elf"), "--append", "triple");

        Assert.Contains(run.With(ExitStatus.GuestCrash).ErrorLines, line => line.EndsWith("  shutdown", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_is_no_trace_is_refused()
    {
        MinivmmResult summary = await MinivmmProcess.RunAsync("trace", "summary", Built.Guest("hello.elf"));

        Assert.EndsWith("hello.elf: is no trace that minivmm wrote", summary.With(ExitStatus.BadInput).OnlyLine());
    }

    /// <summary>The rows of exits by reason, whoever printed them.</summary>
    private static Dictionary<string, long[]> Exits(string text)
    {
        string[] lines = text.Split('\n');
        int start = Array.FindIndex(lines, line => line.StartsWith("exits by reason", StringComparison.Ordinal));
        Assert.True(start >= 0, text);
        return lines.Skip(start + 1).TakeWhile(line => line.Trim().Length > 0).Select(line => Spaces().Split(line.Trim()))
            .ToDictionary(cells => cells[0], cells => cells.Skip(1).Select(Number).ToArray());
    }

    private static long[] Row(string text, string name) =>
        [.. Spaces().Split(text.Split('\n').Single(line => line.StartsWith(name + "  ", StringComparison.Ordinal)).Trim()).Skip(1).Select(Number)];

    private static long Number(string text) => long.Parse(text, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    [GeneratedRegex("  +")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"^ +[0-9]+\.[0-9]{6} +[0-9.]+ +0  10[0-9a-f]{4} \w+\+0x[0-9a-f]+ +(rep )?out\S* .* io 3f8 <- [0-9a-f]{2}  COM1: transmit ")]
    private static partial Regex Line();

    [GeneratedRegex(@"transmit '(?<letter>.+)'$")]
    private static partial Regex Transmitted();
}
