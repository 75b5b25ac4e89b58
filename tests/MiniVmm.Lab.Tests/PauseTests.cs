using System.Security.Cryptography;
using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary>Linux, paused and resumed by <c>minivmm ctl</c> in the middle of its work.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
public sealed class PauseTests
{
    private const string Name = "lab-pause";
    private const string Disk = "/tmp/paused.img";

    [Fact]
    public async Task A_guest_that_writes_and_fetches_goes_on_after_a_pause_with_nothing_lost()
    {
        byte[] file = RandomNumberGenerator.GetBytes(6 << 20);
        await using HttpFile server = new(file);
        await LabHost.ShellAsync($"truncate -s 6M {Disk}");

        // So slow that both are at work when the pause comes, and not done when it ends.
        await using GuestShell guest = await GuestShell.StartAsync("pause", "", "--mem", "256M", "--smp", "2",
            "--name", Name, "--disk", $"{Disk},format=raw,bw=512K", "--net", "user,bw=512K");
        await guest.RunAsync("udhcpc -i eth0 -n -q -t 10 -s /lease && dd if=/dev/urandom of=/tmp/data bs=1M count=6");
        string written = (await guest.RunAsync("sha256sum </tmp/data")).Split(' ')[0];
        await guest.RunAsync("(dd if=/tmp/data of=/dev/vda bs=64k conv=fsync 2>/dev/null; echo $? >/tmp/wrote) &");
        await guest.RunAsync($"(wget -q -O /tmp/file http://10.0.2.2:{server.Port}/file; echo $? >/tmp/fetched) &");
        await guest.RunAsync("until [ $(wc -c </tmp/file) -gt 1000000 ]; do usleep 50000; done");

        await LabHost.MiniVmmAsync($"ctl {Name} pause");
        string still = await ExitsAsync();
        await Task.Delay(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(still, await ExitsAsync());
        await LabHost.MiniVmmAsync($"ctl {Name} resume");

        Assert.Equal("", await guest.RunAsync("cat /tmp/wrote /tmp/fetched 2>/dev/null; true"));
        await guest.RunAsync("until [ -s /tmp/wrote ] && [ -s /tmp/fetched ]; do usleep 100000; done");
        Assert.Equal("0 0", string.Join(' ', (await guest.RunAsync("cat /tmp/wrote /tmp/fetched")).Split('\n')));
        string fetched = (await guest.RunAsync("sha256sum </tmp/file")).Split(' ')[0];
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(file)), fetched);
        Assert.NotEqual(still, await ExitsAsync());
        await guest.PowerOffAsync();
        byte[] disk = await File.ReadAllBytesAsync(Disk, TestContext.Current.CancellationToken);
        Assert.Equal(written, Convert.ToHexStringLower(SHA256.HashData(disk)));
    }

    /// <summary>The exits of each vCPU.</summary>
    private static async Task<string> ExitsAsync()
    {
        JsonElement vcpus = (await LabHost.StatisticsAsync(Name)).GetProperty("vcpus");
        return string.Join(' ', vcpus.EnumerateArray().Select(vcpu => vcpu.GetProperty("exits").GetInt64()));
    }
}
