namespace MiniVmm.Guest.Tests;

/// <summary>What works, but not as one might think, is told in one line, and then it works.</summary>
public sealed class WarningTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task More_vCPUs_than_host_CPUs()
    {
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "taskset", "--cpu-list", OneCpu(), Built.MiniVmm, "run", "--smp", "6", Built.Guest("exit-code.elf"));

        run.With(1);
        Assert.StartsWith("minivmm: warning: 6 vCPUs on 1 host CPU: ", Assert.Single(run.ErrorLines));
    }

    [Fact]
    public async Task Features_that_this_KVM_lacks_in_one_line()
    {
        // No processor has both: AMD gave up 3DNow! in the one that brought XOP.
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--cpu", "host,+xop,+3dnow", Built.Guest("exit-code.elf"));

        run.With(1);
        string line = Assert.Single(run.ErrorLines);
        Assert.StartsWith("minivmm: warning: --cpu host", line);
        Assert.Matches("has no .*(xop|3dnow)", line);
    }

    [Fact]
    public async Task Two_vCPUs_pinned_to_one_host_CPU()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--smp", "2", "--pin", $"{OneCpu()},{OneCpu()}", Built.Guest("smp.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains("smp: ok\n", run.Output);
        Assert.Contains(run.ErrorLines, line => line.StartsWith("minivmm: warning: --pin: ", StringComparison.Ordinal));
    }

    /// <summary>A host CPU that this process may use: the first of a list as 0-1 or 2,4.</summary>
    private static string OneCpu() => File.ReadLines("/proc/self/status")
        .First(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal))
        .Split(':')[1].Trim().Split(',', '-')[0];
}
