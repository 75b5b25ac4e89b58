namespace MiniVmm.Guest.Tests;

/// <summary>A guest that does not end by itself is ended: by time, by a signal, by a reader that is gone.</summary>
public sealed class StopTests : IClassFixture<UsableKvm>
{
    private static readonly string Crash = Built.Guest("crash.elf");

    [Theory]
    [InlineData("hang", "1")]
    [InlineData("hang", "4")]
    [InlineData("hlt", "1")]
    [InlineData("hlt", "2")]
    [InlineData("loop-io", "1")]
    [InlineData("loop-io", "2")]
    public async Task The_timeout_ends_it_with_124(string kind, string smp)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--timeout", "0.5", "--smp", smp, Crash, "--append", kind);

        run.With(ExitStatus.Timeout);
        Assert.StartsWith("crash: ", run.Output);
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
