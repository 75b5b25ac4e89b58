using System.Diagnostics;

namespace MiniVmm.Guest.Tests;

/// <summary>
/// Linux' kunit.py, unmodified: it starts QEMU by its name, and reads what the kernel prints. The kernels are the project's own.
/// </summary>
public sealed class KunitTests : IClassFixture<UsableKvm>
{
    [Theory]
    [InlineData("tap", 0, "[PASSED] add", "Ran 3 tests: passed: 2, skipped: 1")]
    [InlineData("tap-fail", 1, "[FAILED] divide by zero", "Ran 2 tests: passed: 1, failed: 1")]
    public async Task It_starts_a_kernel_as_in_QEMU_and_counts_its_tests(string kernel, int status, string test, string summary)
    {
        using TemporaryFolder folder = new();
        string boot = Path.Combine(folder.Path, "build", "arch", "x86", "boot");
        Directory.CreateDirectory(boot);
        File.Copy(Built.Guest($"suite/{kernel}.elf"), Path.Combine(boot, "bzImage"));
        File.WriteAllText(Path.Combine(folder.Path, "build", ".config"), "");
        File.CreateSymbolicLink(Path.Combine(folder.Path, "qemu-system-x86_64"), Built.MiniVmm);

        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "env", $"PATH={folder.Path}:{Environment.GetEnvironmentVariable("PATH")}", "/usr/bin/python3", Tool(), "exec", "--arch=x86_64",
            $"--build_dir={Path.Combine(folder.Path, "build")}", "--timeout=60");

        Assert.True(run.Status == status, run.Output + run.Errors);
        Assert.Contains("$ qemu-system-x86_64 -nodefaults -m 1024 -kernel ", run.Output, StringComparison.Ordinal);
        Assert.Contains(test, run.Output, StringComparison.Ordinal);
        Assert.Contains(summary, run.Output, StringComparison.Ordinal);
    }

    /// <summary>Debian's, which tests/run has fetched.</summary>
    private static string Tool()
    {
        using Process process = Process.Start(
            new ProcessStartInfo(Path.Combine(Built.Root, "tests", "fetch-kunit")) { RedirectStandardOutput = true })!;
        string path = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return path;
    }
}
