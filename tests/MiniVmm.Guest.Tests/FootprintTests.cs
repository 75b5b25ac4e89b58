using System.Globalization;

namespace MiniVmm.Guest.Tests;

/// <summary>What a machine that only runs has no use for is not in its memory.</summary>
public sealed class FootprintTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task Code_that_only_the_start_needs_is_gone_once_the_guest_runs()
    {
        using MinivmmProcess vmm = MinivmmProcess.Start("run", Built.Guest("crash.elf"), "--append", "hlt");
        await vmm.Output.WaitForAsync("crash: ");

        // The dynamic linker and the C runtime are in there at the start, and not afterwards. It goes while the guest runs.
        Assert.True(
            SpinWait.SpinUntil(() => ResidentCode(vmm.Id, "/ld-linux") == 0, 10_000),
            $"{ResidentCode(vmm.Id, "/ld-linux")} KiB of the dynamic linker's code are still there");
        Assert.True(ResidentCode(vmm.Id, "/minivmm") > 0, "minivmm runs, and has no code in memory");
    }

    /// <summary>KiB of a file's code that a process has in memory.</summary>
    private static long ResidentCode(int process, string file)
    {
        long sum = 0;
        bool code = false;
        foreach (string line in File.ReadLines($"/proc/{process}/smaps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!words[0].EndsWith(':'))
                code = words is [_, "r-xp", ..] && words[^1].Contains(file, StringComparison.Ordinal);
            else if (code && words[0] == "Rss:")
                sum += long.Parse(words[1], CultureInfo.InvariantCulture);
        }

        return sum;
    }
}
