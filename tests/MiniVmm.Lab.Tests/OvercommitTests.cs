using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary>More guest memory than the host has: what guests give back, and what they share.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
public sealed class OvercommitTests
{
    private const long MiB = 1 << 20;
    private const string Ksm = "/sys/kernel/mm/ksm";

    [Fact]
    public async Task Memory_goes_back_to_the_host_when_the_guest_frees_it_and_when_the_balloon_takes_it()
    {
        await LabHost.ShellAsync("truncate -s 192M /tmp/cached.img");
        await using GuestShell guest = await GuestShell.StartAsync("balloon", "",
            "--mem", "256M", "--name", "lab-balloon", "--balloon", "--disk", "/tmp/cached.img,ro,format=raw");
        Assert.Contains("lab-balloon", await LabHost.MiniVmmAsync("ps"), StringComparison.Ordinal);

        // Free page reporting: a large file comes and goes.
        await guest.RunAsync("mount -t tmpfs -o size=200m tmpfs /tmp");
        await guest.RunAsync("dd if=/dev/urandom of=/tmp/large bs=1M count=128");
        long full = Resident();
        Assert.True(full > 128 * MiB, $"{full} bytes are resident with a file of 128 MiB in the guest's memory.");
        await guest.RunAsync("rm /tmp/large");
        long freed = await LabHost.UntilAsync(Resident, bytes => bytes < full - (100 * MiB));
        Assert.True(freed < full - (100 * MiB), $"{full} bytes were resident with the file, {freed} without.");

        // The balloon, in a guest that has nearly all of its memory in use, as cache: of a disk that stays open, since
        // its last user would take the cache with it.
        await guest.RunAsync("exec 3</dev/vda && cat <&3 >/dev/null");
        long cached = Resident();
        long available = await guest.MemoryAsync("MemAvailable");
        await LabHost.MiniVmmAsync("ctl lab-balloon balloon 96M");
        long inflated = await LabHost.UntilAsync(Resident, bytes => bytes < cached - (80 * MiB));
        Assert.True(
            inflated < cached - (80 * MiB), $"{cached} bytes were resident before the balloon, {inflated} with it.");
        long taken = available - await guest.MemoryAsync("MemAvailable");
        Assert.InRange(taken, 80 << 10, 112 << 10);
        JsonElement memory = (await LabHost.StatisticsAsync("lab-balloon")).GetProperty("memory");
        JsonElement balloon = memory.GetProperty("balloon");
        Assert.Equal(96 * MiB, balloon.GetProperty("targetBytes").GetInt64());
        Assert.Equal(96 * MiB, balloon.GetProperty("actualBytes").GetInt64());
        Assert.InRange(balloon.GetProperty("guest").GetProperty("totalMemory").GetInt64(), 96 * MiB, 256 * MiB);

        await LabHost.MiniVmmAsync("ctl lab-balloon balloon 0");
        for (int i = 0; i < 50 && await guest.MemoryAsync("MemAvailable") < available - (16 << 10); i++)
        {
            await Task.Delay(200);
        }

        Assert.InRange(await guest.MemoryAsync("MemAvailable"), available - (16 << 10), 256 << 10);
        await guest.RunAsync("dd if=/dev/urandom of=/tmp/large bs=1M count=160");
        await guest.PowerOffAsync();
        Assert.DoesNotContain("lab-balloon", await LabHost.MiniVmmAsync("ps"), StringComparison.Ordinal);

        long Resident() => LabHost.ResidentBytes(guest.Vmm.Id);
    }

    [Fact]
    public async Task Guests_with_the_same_contents_share_pages_and_all_who_count_them_agree()
    {
        await LabHost.ShellAsync($"echo 0 >{Ksm}/run");
        await using GuestShell first = Start("lab-ksm-1");
        await using GuestShell second = Start("lab-ksm-2");
        foreach (GuestShell guest in new[] { first, second })
        {
            await guest.ReadyAsync();
            // The same in both, no two pages of it alike: 2.5 million numbers are 4,600 pages.
            await guest.RunAsync("seq 2500000 >/tmp/numbers");
        }

        await LabHost.ShellAsync($"cd {Ksm} && echo 20000 >pages_to_scan && echo 10 >sleep_millisecs && echo 1 >run");
        const int same = 4600;
        long sharing = await LabHost.UntilAsync(
            () => LabHost.Number($"{Ksm}/pages_sharing"), pages => pages > same && FullScans() > 2, seconds: 60);
        await LabHost.ShellAsync($"echo 0 >{Ksm}/run");
        Assert.True(sharing > same, $"After {FullScans()} scans, {sharing} pages are shared.");

        long merging = 0;
        foreach ((string name, GuestShell guest) in new[] { ("lab-ksm-1", first), ("lab-ksm-2", second) })
        {
            JsonElement ksm = (await LabHost.StatisticsAsync(name)).GetProperty("memory").GetProperty("ksm");
            long pages = ksm.GetProperty("mergingPages").GetInt64();
            Assert.Equal(LabHost.Number($"/proc/{guest.Vmm.Id}/ksm_merging_pages"), pages);
            Assert.InRange(pages, same, 32768);
            merging += pages;
            Assert.Equal(LabHost.Number($"{Ksm}/pages_sharing"),
                ksm.GetProperty("host").GetProperty("pages_sharing").GetInt64());
            Assert.Equal(LabHost.Number($"{Ksm}/pages_shared"),
                ksm.GetProperty("host").GetProperty("pages_shared").GetInt64());
        }

        // One of each set is the page itself, the others share it.
        Assert.Equal(LabHost.Number($"{Ksm}/pages_shared") + LabHost.Number($"{Ksm}/pages_sharing"), merging);
        await first.PowerOffAsync();
        await second.PowerOffAsync();

        static GuestShell Start(string name) =>
            GuestShell.Start(name, "", "--mem", "128M", "--mem-merge", "--name", name);

        static long FullScans() => LabHost.Number($"{Ksm}/full_scans");
    }
}
