namespace MiniVmm.Guest.Tests;

/// <summary>What can be asked without a KVM.</summary>
public sealed class HelpTests
{
    [Fact]
    public async Task Help_names_the_commands()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("--help");

        run.With(ExitStatus.Success);
        Assert.Contains("minivmm [command] [options]", run.Output);
        Assert.Matches("(?m)^  run .*Boot a kernel", run.Output);
        Assert.Equal("", run.Errors);
    }

    [Fact]
    public async Task Help_of_run_names_each_option()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--help");

        run.With(ExitStatus.Success);
        string[] options = ["kernel", "initrd", "append", "smp", "mem", "mem-path", "mem-prealloc", "mem-merge", "cpu",
            "pin", "console", "debugcon", "timeout", "stats", "dry-run"];
        Assert.All(options, option => Assert.Matches($"(?m)^  (-., )?--{option}( .*)?(\n +| +)[A-Z]", run.Output));
    }

    [Fact]
    public async Task Without_the_other_program_beside_it_a_line_says_so()
    {
        using TemporaryFolder folder = new();
        string alone = folder["minivmm"];
        File.Copy(Built.MiniVmm, alone);

        MinivmmResult run = await MinivmmProcess.RunProgramAsync(alone, "--help");

        run.With(ExitStatus.HostLimit);
        Assert.Equal($"minivmm: {alone}-tools: cannot be run: no such file (ENOENT); install it beside minivmm\n", run.Errors);
    }

    [Fact]
    public async Task Version_is_a_number()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("--version");

        Assert.Matches(@"^[0-9]+\.[0-9]+\.[0-9]+\S*\n$", run.With(ExitStatus.Success).Output);
    }

    [Fact]
    public async Task Cpu_help_lists_the_models()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--cpu", "help");

        run.With(ExitStatus.Success);
        foreach (string model in (string[])["host", "qemu64", "qemu32", "kvm64", "EPYC", "Haswell"])
            Assert.Matches($"(?m)^{model} +\\S", run.Output);
    }

    [Fact]
    public async Task A_dry_run_shows_the_machine_and_needs_no_KVM()
    {
        MinivmmResult run = await OtherUser.RunHelloAsync("--dry-run", "--smp", "6,sockets=2,cores=3", "--mem", "5G");

        run.With(ExitStatus.Success);
        Assert.Equal("", run.Errors);
        Assert.Matches(@"(?m)^kernel +\S*hello\.elf: multiboot 1", run.Output);
        Assert.Matches("(?m)^vCPUs +2 sockets × 3 cores × 1 thread = 6 vCPUs", run.Output);
        Assert.Matches("(?m)^APIC ids +0 1 2 4 5 6", run.Output);
        Assert.Matches("(?m)^RAM +5 GiB", run.Output);
        Assert.Matches("(?m)^0x100000000-0x17fffffff +2 GiB +e820: usable", run.Output);
        Assert.Matches("(?m)^ +1  0x100000000-0x17fffffff +2 GiB of RAM", run.Output);
        Assert.Matches("(?m)^ +4  first 8259 pin 4, I/O APIC pin 4", run.Output);
        Assert.Matches("(?m)^  DSDT at 0x", run.Output);
        Assert.DoesNotContain("Hello from inside", run.Output);
    }
}
