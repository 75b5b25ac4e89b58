using System.Globalization;

namespace MiniVmm.Lab.Tests;

/// <summary>Guest memory on hugetlbfs: taken to the page, refused in words, and always given back.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class HugePageTests
{
    private const int GuestMiB = 256;
    private const int GuestPages = GuestMiB / 2;

    [Fact]
    public async Task Linux_on_huge_pages_has_exactly_its_memory_of_them_and_gives_them_back()
    {
        int free = HugePages.Free;
        await using VmmProcess vmm = LinuxGuest.Start("hugepages", "hold,poweroff", OnHugePages(GuestMiB));

        await vmm.WaitForAsync("lab: holding");
        Assert.Equal(free - GuestPages, HugePages.Free);
        await vmm.SendLineAsync("go on");

        await vmm.AssertExitAsync(ExitStatus.Success);
        await HugePages.AssertFreeSoonAsync(free);
        HugePages.AssertNoFiles();
    }

    [Theory]
    [InlineData(VmmProcess.SIGTERM, ExitStatus.Interrupted)]
    [InlineData(VmmProcess.SIGKILL, 128 + VmmProcess.SIGKILL)]
    public async Task Huge_pages_come_back_when_a_signal_ends_it(int signal, int status)
    {
        int free = HugePages.Free;
        await using VmmProcess vmm =
            LinuxGuest.Start($"hugepages-signal-{signal}", "sleep", OnHugePages(GuestMiB), quiet: false);

        await vmm.WaitForAsync("Linux version");
        Assert.Equal(free - GuestPages, HugePages.Free);
        vmm.Signal(signal);

        await vmm.AssertExitAsync(status);
        await HugePages.AssertFreeSoonAsync(free);
        HugePages.AssertNoFiles();
    }

    [Fact]
    public async Task Too_few_huge_pages_are_refused_with_the_number_that_is_missing()
    {
        int free = HugePages.Free;
        const int missing = 7;
        await using VmmProcess vmm =
            LinuxGuest.Start("hugepages-too-few", "poweroff", OnHugePages((free + missing) * 2));

        await vmm.AssertExitAsync(ExitStatus.HostLimit);

        string line = Assert.Single(vmm.ErrorLines);
        Assert.Matches($@"\b{missing.ToString(CultureInfo.InvariantCulture)}\b", line);
        Assert.Equal(free, HugePages.Free);
        HugePages.AssertNoFiles();
    }

    [Fact]
    public async Task Huge_pages_that_a_control_group_keeps_back_are_refused_with_its_limit()
    {
        const string limit = "/sys/fs/cgroup/few/hugetlb.2MB.max";
        await LabHost.ShellAsync("mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && " +
            "echo +hugetlb >/sys/fs/cgroup/cgroup.subtree_control && mkdir /sys/fs/cgroup/few && " +
            $"echo 64M >{limit} && echo {Environment.ProcessId} >/sys/fs/cgroup/few/cgroup.procs");
        try
        {
            await using VmmProcess vmm = LinuxGuest.Start("hugepages-cgroup", "poweroff", OnHugePages(GuestMiB));

            await vmm.AssertExitAsync(ExitStatus.HostLimit);

            string line = Assert.Single(vmm.ErrorLines);
            Assert.Contains(limit, line, StringComparison.Ordinal);
            Assert.Contains("leaves 32 of 32;", line, StringComparison.Ordinal);
            HugePages.AssertNoFiles();
        }
        finally
        {
            await LabHost.ShellAsync($"for process in $$ {Environment.ProcessId}; do " +
                "echo $process >/sys/fs/cgroup/cgroup.procs || exit; done; rmdir /sys/fs/cgroup/few && umount /sys/fs/cgroup");
        }
    }

    private static string[] OnHugePages(int mebibytes) =>
        ["--mem", $"{mebibytes}M", "--mem-path", HugePages.MountPoint, "--mem-prealloc"];
}
