using System.Text.Json;
using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary><c>minivmm compare-qemu</c>: with QEMU, and with scripts in its place that never end.</summary>
public sealed partial class CompareQemuTests : IClassFixture<UsableKvm>
{
    private const string Trace = """
        printf '%s\n' '1@1.000001:kvm_vcpu_ioctl cpu_index 0, type 0xae80, arg (nil)' '1@1.000002:kvm_run_exit cpu_index 0, reason 2' >"$log"
        """;

    [Fact]
    public async Task The_same_kernel_has_the_same_exits_under_both()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("compare-qemu", "--machine", "microvm", "--json", Built.Guest("exit-code.elf"), "--append", "5");
        MinivmmResult alone = await MinivmmProcess.RunAsync("run", "--stats", "--cpu", "qemu64", Built.Guest("exit-code.elf"), "--append", "5");

        using JsonDocument document = JsonDocument.Parse(run.With(ExitStatus.Success).Output);
        JsonElement root = document.RootElement;
        int status = root.GetProperty("qemu").GetProperty("status").GetInt32();
        Assert.Equal(alone.Status, status);
        Assert.Equal(status, root.GetProperty("minivmm").GetProperty("status").GetInt32());

        // The firmware's exits are not the kernel's: of those that are no kicks, each has its like.
        Assert.True(root.GetProperty("qemu").GetProperty("firmwareExits").GetInt32() > 20, run.Output);
        JsonElement[] exits = [.. root.GetProperty("exits").EnumerateArray()];
        Assert.Equal(
            int.Parse(IoExits().Match(alone.Errors).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture),
            exits.Where(IsPort).Sum(group => Count(group, "minivmm")));
        JsonElement serial = exits.Single(group => group.GetProperty("place").GetString() == "io COM1");
        Assert.Equal(Count(serial, "minivmm"), Count(serial, "kernel"));
        string?[] marks = [.. root.GetProperty("vcpus")[0].GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("mark").GetString())];
        Assert.NotEmpty(marks);
        Assert.DoesNotContain("<", marks);
        Assert.DoesNotContain(">", marks);
        Assert.Contains(root.GetProperty("calls").EnumerateArray(), call => call.GetProperty("name").GetString() == "KVM_CREATE_VM"
            && call.GetProperty("minivmm").GetProperty("before").GetInt32() == 1 && call.GetProperty("qemu").GetProperty("before").GetInt32() == 1);
    }

    [Fact]
    public async Task For_people_there_are_tables_with_reasons_and_the_exits_in_order()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("compare-qemu", "--machine", "microvm", "--smp", "2", Built.Guest("hello.elf"));

        string text = run.With(ExitStatus.Success).Output;
        Assert.Contains("calls to KVM, until a vCPU runs", text, StringComparison.Ordinal);
        Assert.Contains("io fw_cfg: firmware and its ROMs read the kernel", text, StringComparison.Ordinal);
        Assert.Matches("out 3f8 \"Hello from insid\" ×16 +=  out 3f8 \"Hello from insid\" ×16 +COM1 +serial", text);
        Assert.Matches("out 3f8 \"der \"MiniVmm\"\\\\n\" ×14 +~  out 3f8 \"der \"qemu\"\\\\n\" ×11", text);
    }

    [Fact]
    public async Task A_kernel_that_QEMU_does_not_start_is_an_error_with_QEMU_s_words()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("compare-qemu", "--machine", "microvm", Built.Guest("hello-mb2.elf"));

        Assert.Contains("QEMU does not start it: ", run.With(ExitStatus.BadInput).Errors, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Without_QEMU_the_error_names_the_package()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("compare-qemu", "--qemu", "no-such-qemu", Built.Guest("hello.elf"));

        Assert.Equal(
            "--qemu no-such-qemu: not found; install QEMU (Debian's package qemu-system-x86), or name another program",
            run.With(ExitStatus.HostLimit).OnlyLine());
    }

    [Fact]
    public async Task When_its_time_runs_out_it_is_compared_as_far_as_it_came()
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunProgramAsync("env", Words(folder, Trace, "--timeout", "2", "--json"));

        using JsonDocument document = JsonDocument.Parse(run.With(ExitStatus.Timeout).Output);
        Assert.True(document.RootElement.GetProperty("qemu").GetProperty("timedOut").GetBoolean());
        AssertNothingIsLeft(folder);
    }

    [Theory]
    [InlineData(MinivmmProcess.SIGTERM, ExitStatus.Interrupted)]
    [InlineData(MinivmmProcess.SIGINT, ExitStatus.Interrupted)]
    [InlineData(MinivmmProcess.SIGKILL, 128 + MinivmmProcess.SIGKILL)]
    public async Task However_it_ends_QEMU_does_not_outlive_it(int signal, int status)
    {
        using TemporaryFolder folder = new();
        using MinivmmProcess process = MinivmmProcess.StartProgram("env", Words(folder, Trace));
        await Eventually(() => File.Exists(folder["pid"]));

        process.Signal(signal);

        MinivmmResult run = await process.EndAsync();
        Assert.Equal("", run.With(status).Output);
        if (signal == MinivmmProcess.SIGKILL)
            await Eventually(() => !IsRunning(folder));
        else
            AssertNothingIsLeft(folder);
    }

    /// <summary>The command with a script for QEMU, which says what it is, writes a trace, and waits.</summary>
    private static string[] Words(TemporaryFolder folder, string trace, params string[] options)
    {
        string script = folder.Write("qemu", System.Text.Encoding.UTF8.GetBytes($"""
            #!/bin/bash
            while [[ $1 != -D ]]; do shift; done
            log=$2
            {trace}
            echo $$ >{folder["pid.new"]}
            mv {folder["pid.new"]} {folder["pid"]}
            exec sleep 1000

            """));
        File.SetUnixFileMode(script, (UnixFileMode)0b111_101_101);
        Directory.CreateDirectory(folder["tmp"]);
        return [$"TMPDIR={folder["tmp"]}", Built.MiniVmm, "compare-qemu", "--qemu", script, .. options, Built.Guest("exit-code.elf")];
    }

    private static void AssertNothingIsLeft(TemporaryFolder folder)
    {
        Assert.False(IsRunning(folder));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder["tmp"], "minivmm-qemu-*"));
    }

    private static bool IsRunning(TemporaryFolder folder)
    {
        string stat = $"/proc/{File.ReadAllText(folder["pid"]).Trim()}/stat";
        try
        {
            return !File.ReadAllText(stat).Contains(") Z ", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or IOException)
        {
            return false;
        }
    }

    private static async Task Eventually(Func<bool> condition)
    {
        DateTime end = DateTime.UtcNow + Transcript.Deadline;
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < end, "it never came");
            await Task.Delay(10);
        }
    }

    private static bool IsPort(JsonElement group) => group.GetProperty("place").GetString()!.StartsWith("io ", StringComparison.Ordinal);

    private static int Count(JsonElement group, string side) => group.GetProperty(side).GetProperty("count").GetInt32();

    [GeneratedRegex(@"KVM_EXIT_IO +([0-9]+)")]
    private static partial Regex IoExits();
}
