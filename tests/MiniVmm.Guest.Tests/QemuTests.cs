using System.Diagnostics;

namespace MiniVmm.Guest.Tests;

/// <summary>MiniVmm called as QEMU, as kernel projects' scripts call it.</summary>
public sealed class QemuTests : IClassFixture<UsableKvm>, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _qemu;

    public QemuTests()
    {
        _qemu = Path.Combine(_folder.Path, "qemu-system-x86_64");
        File.CreateSymbolicLink(_qemu, Built.MiniVmm);
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// As the runner of an x86 test suite has it: a multiboot kernel, its environment as the one module, sizes by fw_cfg,
    /// QEMU's test devices, and the result by the status.
    /// </summary>
    [Theory]
    [InlineData("", 1)]
    [InlineData("exit=16", 33)]
    public async Task A_test_suite_finds_its_devices_and_its_environment(string append, int status)
    {
        string environment = Path.Combine(_folder.Path, "env");
        File.WriteAllText(environment, "CPU=2\nMODE=long\n");

        MinivmmResult run = await QemuAsync(
            "-nodefaults", "-device", "pc-testdev", "-device", "pci-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-display", "none",
            "-serial", "stdio", "-machine", "accel=kvm", "-kernel", Built.Guest("testdev.elf"), "-smp", "2", "-m", "64",
            "-initrd", environment, "-append", append);

        run.With(status);
        Assert.Equal("", run.Errors);
        Assert.Contains("fw_cfg                   2 CPUs, 64 MiB\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("environment              CPU=2\n  environment              MODE=long\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("interrupt line 3         5 interrupts\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("PCI test device          3 tests of memory, 3 of ports\n", run.Output, StringComparison.Ordinal);
        Assert.EndsWith("testdev: ok\n", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-nographic -no-reboot -enable-kvm -cpu host")]
    [InlineData("-serial mon:stdio -display none -M q35,accel=kvm -no-reboot")]
    [InlineData("-M microvm -nodefaults -nographic -serial stdio")]
    [InlineData("-chardev stdio,id=c,mux=on,signal=off -serial chardev:c -mon chardev=c -vga none -device virtio-rng-pci")]
    public async Task A_kernel_prints_and_powers_off(string words)
    {
        MinivmmResult run = await QemuAsync(["-kernel", Built.Guest("hello.elf"), .. words.Split(' ')]);

        run.With(0);
        Assert.EndsWith("hello: ok\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_triple_fault_is_a_reset_that_is_explained()
    {
        MinivmmResult run = await QemuAsync("-kernel", Built.Guest("crash.elf"), "-nographic", "-no-reboot");

        run.With(0);
        Assert.Contains("vCPU 0 died: triple fault", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_no_reboot_a_guest_that_resets_starts_again_until_it_is_ended()
    {
        using MinivmmProcess process = MinivmmProcess.StartProgram(
            _qemu, "-kernel", Built.Guest("crash.elf"), "-nographic", "-pidfile", Path.Combine(_folder.Path, "pid"));
        using CancellationTokenSource limit = new(Transcript.Deadline);
        while (process.Output.Text.Split("crash: ").Length < 4)
            await Task.Delay(10, limit.Token);
        Assert.Equal($"{process.Id}\n", File.ReadAllText(Path.Combine(_folder.Path, "pid")));

        process.Signal(MinivmmProcess.SIGTERM);
        MinivmmResult run = await process.EndAsync();

        Assert.Single(run.ErrorLines, line => line.Contains("died: triple fault", StringComparison.Ordinal));
        Assert.False(File.Exists(Path.Combine(_folder.Path, "pid")));
        run.With(0);
    }

    /// <summary>In QEMU such a machine stands still, for gdb and whoever looks at its screen, until the process is ended.</summary>
    [Theory]
    [InlineData("crash.elf", "-no-reboot -no-shutdown", "died: triple fault")]
    [InlineData("crash.elf", "-action reboot=shutdown,shutdown=pause", "died: triple fault")]
    [InlineData("hello.elf", "-no-shutdown", null)]
    public async Task With_no_shutdown_the_process_stays_until_it_is_ended(string kernel, string words, string? said)
    {
        string pid = Path.Combine(_folder.Path, "pid");
        using MinivmmProcess process = MinivmmProcess.StartProgram(
            _qemu, ["-kernel", Built.Guest(kernel), "-display", "none", "-serial", "stdio", "-pidfile", pid, .. words.Split(' ')]);
        await (said is null ? process.Output.WaitForAsync("hello: ok") : process.Errors.WaitForAsync(said));
        await Task.Delay(500); // it would be gone by now
        Assert.True(File.Exists(pid));

        process.Signal(MinivmmProcess.SIGTERM);

        (await process.EndAsync()).With(0);
    }

    [Fact]
    public async Task What_has_no_effect_is_said_and_what_is_missing_ends_with_1()
    {
        MinivmmResult run = await QemuAsync("-kernel", Built.Guest("hello.elf"), "-nographic", "-d", "exec");
        Assert.Equal(
            [
                "minivmm: warning: -d exec has no effect: under KVM only int, cpu_reset, guest_errors and invalid_mem are seen",
            ],
            run.With(0).ErrorLines);

        run = await QemuAsync("-kernel", Built.Guest("hello.elf"), "-device", "e1000");
        Assert.Equal("-device e1000: there is no such card; use virtio-net-pci", run.With(1).OnlyLine());

        run = await QemuAsync("-kernel", "/nowhere/kernel");
        Assert.StartsWith("-kernel /nowhere/kernel: ", run.With(1).OnlyLine(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exits 3", "io 80 <- 02")]
    [InlineData("bad-mmio", " <- 00000000")]
    public async Task Accesses_to_what_no_device_has_are_in_the_log_and_no_others(string append, string access)
    {
        string log = Path.Combine(_folder.Path, "log");

        MinivmmResult run = await QemuAsync(
            "-kernel", Built.Guest("crash.elf"), "-append", append, "-nographic", "-no-reboot", "-d", "guest_errors", "-D", log);

        Assert.Equal("", run.With(0).Errors);
        string[] lines = File.ReadAllLines(log);
        Assert.Contains(lines, line => line.Contains(access, StringComparison.Ordinal));
        Assert.All(lines[1..], line => Assert.EndsWith("nobody's", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Interrupts_that_devices_send_are_in_the_log_on_standard_error()
    {
        MinivmmResult run = await QemuAsync(
            "-nodefaults", "-device", "pc-testdev", "-device", "pci-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-display", "none",
            "-serial", "stdio", "-kernel", Built.Guest("testdev.elf"), "-d", "int");

        Assert.Contains(run.ErrorLines, line => line.Contains("interrupt line 3 high", StringComparison.Ordinal));
        Assert.DoesNotContain(run.ErrorLines, line => line.Contains("io ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Each_triple_fault_is_a_reset_in_the_log_with_the_processors_state()
    {
        string log = Path.Combine(_folder.Path, "log");

        MinivmmResult run = await QemuAsync(
            "-kernel", Built.Guest("crash.elf"), "-nographic", "-no-reboot", "-d", "cpu_reset", "-D", log);

        Assert.Contains("vCPU 0 died: triple fault", run.With(0).Errors, StringComparison.Ordinal);
        string[] lines = File.ReadAllLines(log);
        Assert.Equal("CPU Reset (CPU 0): triple fault", lines[0]);
        Assert.Contains(lines, line => line.StartsWith("  rip ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_log_can_hold_is_listed_and_a_file_that_cannot_be_is_an_error()
    {
        MinivmmResult help = await QemuAsync("-d", "help");
        Assert.StartsWith("Log items (comma separated):\n", help.With(0).Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("guest_errors    accesses to ports", help.Output, StringComparison.Ordinal);

        MinivmmResult run = await QemuAsync("-kernel", Built.Guest("hello.elf"), "-d", "int", "-D", "/nowhere/log");
        Assert.Contains("-D /nowhere/log: cannot be written", run.With(1).OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_daemon_runs_on_when_its_command_has_ended()
    {
        string pid = Path.Combine(_folder.Path, "pid"), output = Path.Combine(_folder.Path, "output"), name = $"daemon-{Environment.ProcessId}";

        MinivmmResult run = await QemuAsync(
            "-daemonize", "-S", "-name", name, "-pidfile", pid, "-display", "none", "-serial", $"file:{output}", "-kernel", Built.Guest("hello.elf"));

        run.With(0);
        Assert.Equal(("", ""), (run.Output, run.Errors));
        string process = (await File.ReadAllTextAsync(pid)).Trim();
        Assert.Equal(process, File.ReadAllText($"/proc/{process}/stat").Split(' ')[5]); // its session is its own
        Assert.Equal("/dev/null", new FileInfo($"/proc/{process}/fd/2").LinkTarget);
        (await MinivmmProcess.RunAsync("ctl", name, "resume")).With(0);
        Stopwatch waited = Stopwatch.StartNew();
        while (File.Exists(pid))
        {
            Assert.True(waited.Elapsed < Transcript.Deadline, "The machine does not end.");
            await Task.Delay(20);
        }

        Assert.EndsWith("hello: ok\n", (await File.ReadAllTextAsync(output)).ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-kernel /nowhere/kernel", "/nowhere/kernel: no such file")]
    [InlineData("-nographic -kernel /nowhere/kernel", "-daemonize: there is no terminal then; leave out -nographic and stdio")]
    public async Task A_daemon_that_cannot_start_says_why_and_so_does_its_status(string words, string error)
    {
        MinivmmResult run = await QemuAsync(["-daemonize", .. words.Split(' ')]);

        run.With(1);
        Assert.Contains(error, run.Errors, StringComparison.Ordinal);
    }

    private Task<MinivmmResult> QemuAsync(params IEnumerable<string> arguments) =>
        MinivmmProcess.RunProgramAsync(_qemu, arguments);
}
