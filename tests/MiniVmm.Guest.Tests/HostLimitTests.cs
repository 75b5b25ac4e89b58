namespace MiniVmm.Guest.Tests;

/// <summary>What the host cannot do is told in one line, with status 4.</summary>
public sealed class HostLimitTests(UsableKvm kvm, FaultyKvm faulty) : IClassFixture<UsableKvm>, IClassFixture<FaultyKvm>
{
    private static readonly string Hello = Built.Guest("hello.elf");

    [Fact]
    public async Task More_vCPUs_than_KVM_takes()
    {
        // Beyond some 1,024 it is the ACPI tables that do not hold them, whatever KVM takes.
        int status = kvm.MaxVcpus <= 1024 ? ExitStatus.HostLimit : ExitStatus.BadInput;

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--smp", $"{kvm.MaxVcpus + 1}", Hello);

        string line = run.With(status).OnlyLine();
        Assert.Contains($"{kvm.MaxVcpus + 1}", line);
        Assert.Contains("--smp", line);
    }

    [Theory]
    [InlineData("--pin", "1023")]
    [InlineData("--mem", "99999T")]
    public async Task More_than_it_has(string option, string value)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", option, value, Hello);

        Assert.StartsWith(option, run.With(ExitStatus.HostLimit).OnlyLine());
    }

    [Fact]
    public async Task More_memory_now_than_it_has()
    {
        string total = File.ReadLines("/proc/meminfo").First(); // MemTotal:   24105476 kB
        long kibibytes = long.Parse(total.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--mem", $"{2 * kibibytes / 1024}M", "--mem-prealloc", Hello);

        Assert.StartsWith("--mem ", run.With(ExitStatus.HostLimit).OnlyLine());
    }

    [Fact]
    public async Task A_page_of_guest_RAM_that_it_cannot_provide_while_the_guest_runs()
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await faulty.RunAsync("no run", "run", "--mem-path", folder.Path, Hello);

        string line = run.With(ExitStatus.HostLimit).OnlyLine();
        Assert.StartsWith($"--mem-path {folder.Path}: the host could not provide a page of guest RAM", line);
    }

    [Fact]
    public async Task No_room_for_what_it_prints()
    {
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "/bin/sh", "-c", $"'{Built.MiniVmm}' run --dry-run '{Hello}' >/dev/full");

        Assert.Contains("standard output: no space left", run.With(ExitStatus.HostLimit).OnlyLine());
    }

    [Theory]
    [InlineData("--console")]
    [InlineData("--mem-path")]
    public async Task Files_no_larger_than_a_limit(string option)
    {
        using TemporaryFolder folder = new();
        string place = option == "--console" ? folder["console"] : folder.Path;

        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "prlimit", "--fsize=512", Built.MiniVmm, "run", option, place, Hello);

        string line = run.With(ExitStatus.HostLimit).OnlyLine();
        Assert.Contains($"{place}: ", line);
        Assert.Contains("ulimit -f", line);
    }

    [Theory]
    [InlineData("--core")]
    [InlineData("--trace-file")]
    [InlineData("--screenshot-at-end")]
    public async Task Files_no_larger_than_a_limit_for_what_it_writes_of_the_guest_which_has_died(string option)
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "prlimit", "--fsize=512", Built.MiniVmm, "run", "--console", "none", option, folder["file"], Built.Guest("crash.elf"));

        string line = Assert.Single(run.ErrorLines, line => line.Contains(option, StringComparison.Ordinal));
        Assert.Contains("ulimit -f", line);
        Assert.Contains("vCPU 0 died", run.With(ExitStatus.GuestCrash).Errors);
    }

    [Theory]
    [InlineData("man")]
    [InlineData("run", "--help")]
    public async Task Files_no_larger_than_a_limit_for_standard_output(params string[] arguments)
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "/bin/sh", ["-c", $"prlimit --fsize=512 \"$@\" >'{folder["file"]}'", "sh", Built.MiniVmm, .. arguments]);

        Assert.Contains("standard output: file too large (EFBIG)", run.With(ExitStatus.HostLimit).OnlyLine());
    }

    [Fact]
    public async Task As_many_files_as_it_needs()
    {
        int status = ExitStatus.HostLimit;
        for (int files = 9; status != ExitStatus.Success; files++)
        {
            Assert.True(files < 64, "no number of files is enough");
            MinivmmResult run = await MinivmmProcess.RunProgramAsync(
                "prlimit", $"--nofile={files}", Built.MiniVmm, "run", "--name", "few-files", Hello);
            status = run.Status;
            if (status != ExitStatus.Success)
                Assert.Contains("oo many open files", run.With(ExitStatus.HostLimit).OnlyLine());
        }
    }

    [Theory]
    [InlineData("2>/dev/full")]
    [InlineData("2>&-")]
    public async Task No_room_for_what_it_complains_of(string redirection)
    {
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "/bin/sh", "-c", $"'{Built.MiniVmm}' run /nonexistent {redirection}");

        Assert.Equal("", run.With(ExitStatus.BadInput).Errors);
    }

    [Fact]
    public async Task A_KVM_that_is_not_for_this_user()
    {
        MinivmmResult run = await OtherUser.RunHelloAsync();

        string line = run.With(ExitStatus.HostLimit).OnlyLine();
        Assert.StartsWith("/dev/kvm: permission denied", line);
    }
}
