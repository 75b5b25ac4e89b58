namespace MiniVmm.Guest.Tests;

/// <summary>A guest that does not end by itself is ended: by time, by a signal, by a reader that is gone.</summary>
public sealed class StopTests : IClassFixture<UsableKvm>
{
    private static readonly string Crash = Built.Guest("crash.elf");

    [Theory]
    [InlineData("hang", "1", "in an endless loop at 0x[0-9a-f]+ .*, interrupts off")]
    [InlineData("hang", "4", "in an endless loop at 0x[0-9a-f]+ .*, interrupts off")]
    [InlineData("hlt", "1", "halted with interrupts off at 0x[0-9a-f]+ .*")]
    [InlineData("hlt", "2", "halted with interrupts off at 0x[0-9a-f]+ .*")]
    [InlineData("loop-io", "1", "(in the loop|running) .*, interrupts off")]
    [InlineData("loop-io", "2", "(in the loop|running) .*, interrupts off")]
    public async Task The_timeout_ends_it_with_124_and_says_where_each_vCPU_stood(string kind, string smp, string where)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--timeout", "0.5", "--smp", smp, Crash, "--append", kind);

        run.With(ExitStatus.Timeout);
        Assert.StartsWith("crash: ", run.Output);
        string[] lines =
            [.. run.ErrorLines.Where(line => !line.StartsWith("minivmm: warning: ", StringComparison.Ordinal))];
        Assert.Matches($"^minivmm: vCPU 0: {where}$", lines[0]);
        string[] others = smp switch
        {
            "1" => [],
            "2" => ["minivmm: vCPU 1: waiting for SIPI"],
            _ => ["minivmm: vCPUs 1-3: waiting for SIPI"],
        };
        Assert.Equal(others, lines[1..(1 + others.Length)]);
        Assert.StartsWith("minivmm: vCPU 0, 32-bit protected mode", lines[1 + others.Length]);
    }

    [Theory]
    [InlineData("--console")]
    [InlineData("--com2")]
    public async Task The_timeout_counts_while_it_waits_for_somebody_at_its_console(string option)
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--timeout", "0.5", option, $"unix:{folder["console"]},server", Crash, "--append", "hang");

        run.With(ExitStatus.Timeout);
        Assert.DoesNotContain("crash: ", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_without_room_for_queued_signals_can_stop_it_too()
    {
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "prlimit", "--sigpending=0", Built.MiniVmm, "run", "--timeout", "0.5", Crash, "--append", "hang");

        run.With(ExitStatus.Timeout);
    }

    [Fact]
    public async Task A_guest_that_ends_before_the_timeout_ends_as_it_likes()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--timeout", "1000", Built.Guest("exit-code.elf"), "--append", "21");

        run.With(43);
    }

    [Theory]
    [InlineData(MinivmmProcess.SIGTERM, "hang")]
    [InlineData(MinivmmProcess.SIGTERM, "hlt")]
    [InlineData(MinivmmProcess.SIGTERM, "loop-io")]
    [InlineData(MinivmmProcess.SIGINT, "hang")]
    [InlineData(MinivmmProcess.SIGHUP, "hang")]
    public async Task A_signal_ends_it_with_130(int signal, string kind)
    {
        // Who started us may ignore SIGINT (a shell, in the background) or SIGHUP, and that is inherited.
        using MinivmmProcess vmm = MinivmmProcess.StartProgram(
            "env", "--default-signal", Built.MiniVmm, "run", "--smp", "2", Crash, "--append", kind);
        await vmm.Output.WaitForAsync("crash: ");

        vmm.Signal(signal);

        (await vmm.EndAsync(closeInput: false)).With(ExitStatus.Interrupted);
    }

    [Theory]
    [InlineData("stdio")]
    [InlineData("none")]
    public async Task Text_on_a_screen_that_nobody_saw_is_shown_at_the_end(string console)
    {
        using TemporaryFolder folder = new();
        string kernel = folder.Write("screen.bin", FlatKernel.OnScreen("no disk"));

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--timeout", "0.5", "--console", console, kernel);

        run.With(ExitStatus.Timeout);
        Assert.Matches("^minivmm: vCPU 0: halted with interrupts off at 0x[0-9a-f]+\n", run.Errors);
        Assert.EndsWith("minivmm: text screen at 0xb8000, at the end:\n  | no disk\n", run.Errors);
    }

    [Fact]
    public async Task SIGKILL_leaves_no_file_of_the_memory_behind()
    {
        using TemporaryFolder folder = new();
        using MinivmmProcess vmm = MinivmmProcess.Start(
            "run", "--mem", "64M", "--mem-path", folder.Path, Crash, "--append", "hang");
        await vmm.Output.WaitForAsync("crash: endless loop");

        vmm.Signal(MinivmmProcess.SIGKILL);

        (await vmm.EndAsync()).With(128 + MinivmmProcess.SIGKILL);
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public async Task A_reader_that_is_gone_ends_it_with_130()
    {
        // Bash waits for the pipe's reader to end, so that not even the first byte has one.
        const string script = "exec 3> >(:); wait $!; exec \"$@\" >&3";

        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "bash", "-c", script, "bash", Built.MiniVmm, "run", Crash, "--append", "hang");

        run.With(ExitStatus.Interrupted);
    }

    [Fact]
    public async Task Two_machines_run_at_once()
    {
        using MinivmmProcess first = MinivmmProcess.Start("run", Crash, "--append", "hang");
        using MinivmmProcess second = MinivmmProcess.Start("run", Crash, "--append", "hang");
        await first.Output.WaitForAsync("crash: endless loop");
        await second.Output.WaitForAsync("crash: endless loop");

        first.Signal(MinivmmProcess.SIGTERM);
        (await first.EndAsync()).With(ExitStatus.Interrupted);
        MinivmmResult third = await MinivmmProcess.RunAsync("run", Built.Guest("hello.elf"));
        second.Signal(MinivmmProcess.SIGTERM);

        third.With(ExitStatus.Success);
        (await second.EndAsync()).With(ExitStatus.Interrupted);
    }

    [Fact]
    public async Task Twenty_machines_one_after_another_leave_no_process_and_no_file()
    {
        using TemporaryFolder folder = new();
        const string script = "echo session $$; for i in $(seq 20); do \"$@\" || exit; done";

        MinivmmResult run = await MinivmmProcess.RunProgramAsync("setsid", "--wait", "sh", "-c", script, "sh",
            Built.MiniVmm, "run", "--smp", "2", "--mem", "16M", "--mem-path", folder.Path, Built.Guest("smp.elf"));

        run.With(ExitStatus.Success);
        Assert.Equal(20, run.Output.Split("smp: ok\n").Length - 1);
        string session = run.Output.Split('\n')[0].Split(' ')[1];
        Assert.DoesNotContain(session, Sessions());
        Assert.Empty(folder.Entries);
    }

    /// <summary>The session of each process there is: the fourth field behind its name in /proc/PID/stat.</summary>
    private static IEnumerable<string> Sessions()
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(name => char.IsAsciiDigit(name[^1])))
        {
            string stat;
            try
            {
                stat = File.ReadAllText(Path.Combine(folder, "stat"));
            }
            catch (IOException)
            {
                continue; // it has ended since
            }

            yield return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[3];
        }
    }
}
