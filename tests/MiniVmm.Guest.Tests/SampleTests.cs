using System.Diagnostics;

namespace MiniVmm.Guest.Tests;

/// <summary>The programs in samples/, which see the packages of MiniVmm alone, do what the README says.</summary>
public sealed class SampleTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task A_bare_machine_adds_two_numbers() =>
        Assert.Equal((0, "2 + 3 = 5\nthe machine ended: Halted\n"), await RunAsync("add-two-numbers"));

    [Fact]
    public async Task A_kernel_works_with_a_device_of_ones_own()
    {
        (int status, string output) = await RunAsync("own-device", Built.Guest("squarer.elf"));

        Assert.Equal(
            [
                "1 squared is 1", "2 squared is 4", "3 squared is 9", "5 squared is 25", "7 squared is 49",
                "10 squared is 100", "squarer: ok", "the machine ended: PowerOff",
            ],
            output.ReplaceLineEndings("\n").TrimEnd().Split('\n'));
        Assert.Equal(0, status);
    }

    [Fact]
    public async Task A_harness_boots_twenty_kernels_at_once_and_sees_the_one_that_fails()
    {
        string[] good = [.. Enumerable.Repeat(Built.Guest("hello.elf"), 19)];

        (int status, string output) = await RunAsync("boot-many", [.. good, Built.Guest("exit-code.elf")]);

        Assert.Equal(19, output.Split("hello.elf        PowerOff   hello: ok\n").Length - 1);
        Assert.Contains("exit-code.elf    DebugExit  exit-code: ok\n", output, StringComparison.Ordinal);
        Assert.Equal(1, status);
    }

    [Fact]
    public async Task A_host_runs_kernels_as_its_services_and_tells_how_each_ended()
    {
        (int status, string output) = await RunAsync("hosted", Built.Guest("hello.elf"), Built.Guest("exit-code.elf"));

        Assert.Equal("hello: Stopped, PowerOff\nexit-code: Stopped, DebugExit\n", WithoutLog(output));
        Assert.Equal(0, status);
    }

    [Fact]
    public async Task A_monitor_of_one_file_boots_the_test_kernels()
    {
        Assert.InRange(File.ReadAllLines(Path.Combine(Built.Root, "samples", "tiny-vmm", "Program.cs")).Length, 100, 300);

        (int status, string output) = await RunAsync("tiny-vmm", Built.Guest("hello.elf"), "one two");
        Assert.Contains("hello.elf one two\"", output, StringComparison.Ordinal);
        Assert.EndsWith("hello: ok\n", output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Equal(0, status);

        (status, output) = await RunAsync("tiny-vmm", Built.Guest("exit-code.elf"), "21");
        Assert.EndsWith("exit-code: ok\n", output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Equal(43, status);
        Assert.Equal(6, (await RunAsync("tiny-vmm", Built.Guest("crash.elf"), "gp")).Status);
    }

    /// <summary>Without the lines of .NET's console log, which is on the same output.</summary>
    private static string WithoutLog(string output) => string.Concat(
        output.Split('\n').Where(line => line.StartsWith("hello: ", StringComparison.Ordinal)
            || line.StartsWith("exit-code: ", StringComparison.Ordinal)).Select(line => line + "\n"));

    private static async Task<(int Status, string Output)> RunAsync(string sample, params string[] arguments)
    {
        ProcessStartInfo start = new(Built.Sample(sample), arguments) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output);
    }
}
