using System.Security.Cryptography;

namespace MiniVmm.Lab.Tests;

/// <summary>One boot with a console, a network in user mode, and a source of entropy, all of them virtio's.</summary>
public sealed class DevicesBoot : IAsyncLifetime
{
    public const string Greeting = "Hello from the guest";

    private static readonly string LongText = string.Concat(Enumerable.Range(0, 500).Select(i => $"{i:x3}."));

    private readonly byte[] _file = RandomNumberGenerator.GetBytes(4 << 20);

    /// <summary>The guest's terminal, as it says itself.</summary>
    public string Terminal { get; private set; } = "";

    /// <summary>A line of 2,000 characters, typed at the guest and printed back by it.</summary>
    public string Typed { get; private set; } = "";

    public static string Expected => LongText;

    public string RandomSource { get; private set; } = "";

    /// <summary>Two reads of 4 KiB from the source of entropy, as lines of base64.</summary>
    public string[] Entropy { get; } = new string[2];

    /// <summary>What /proc/interrupts says of IRQ 8 when an alarm of the clock has come, or has not for 20 seconds.</summary>
    public string Alarm { get; private set; } = "";

    public string Addresses { get; private set; } = "";

    public string Routes { get; private set; } = "";

    public string Fetched { get; private set; } = "";

    public string FetchedExpected => Convert.ToHexStringLower(SHA256.HashData(_file));

    /// <summary>What a server in the guest answered through the forwarded port.</summary>
    public string Forwarded { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        await using HttpFile server = new(_file);
        int port = HttpFile.FreePort();
        await using GuestShell guest = await GuestShell.StartAsync("devices", "lab.tty=hvc0",
            "--mem", "256M", "--console", "virtio", "--rng", "--net", $"user,hostfwd=tcp:127.0.0.1:{port}-:80");
        Terminal = await guest.RunAsync("tty");
        Typed = await guest.RunAsync($"echo {LongText}");

        RandomSource = await guest.RunAsync("cat /sys/class/misc/hw_random/rng_current");
        for (int i = 0; i < Entropy.Length; i++)
        {
            Entropy[i] = await guest.RunAsync(
                "dd if=/dev/hwrng bs=512 count=8 iflag=fullblock 2>/dev/null | base64 -w 0");
        }

        await guest.RunAsync("echo +1 >/sys/class/rtc/rtc0/wakealarm");
        Alarm = await guest.RunAsync(
            "for i in $(seq 100); do grep -q ' 8: *[1-9]' /proc/interrupts && break; sleep 0.2; done; grep ' 8:' /proc/interrupts");

        await guest.RunAsync("udhcpc -i eth0 -n -q -t 10 -s /lease");
        Addresses = await guest.RunAsync("ip -4 address show dev eth0");
        Routes = await guest.RunAsync("ip route");
        await guest.RunAsync($"wget -q -O /tmp/file http://10.0.2.2:{server.Port}/file");
        Fetched = (await guest.RunAsync("sha256sum </tmp/file")).Split(' ')[0];

        await guest.RunAsync($"echo {Greeting} >/www/index.html && httpd -p 80 -h /www");
        using HttpClient client = new() { Timeout = TimeSpan.FromMinutes(5) };
        Forwarded = await client.GetStringAsync(new Uri($"http://127.0.0.1:{port}/index.html"));
        await guest.PowerOffAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class DeviceTests(DevicesBoot boot) : IClassFixture<DevicesBoot>
{
    [Fact]
    public void The_virtio_console_is_hvc0_and_a_shell_runs_on_it() => Assert.Equal("/dev/hvc0", boot.Terminal);

    [Fact]
    public void A_long_line_goes_through_the_virtio_console_both_ways() =>
        Assert.Equal(DevicesBoot.Expected, boot.Typed);

    [Fact]
    public void The_guests_source_of_entropy_is_virtios_and_never_says_the_same_twice()
    {
        Assert.StartsWith("virtio_rng", boot.RandomSource, StringComparison.Ordinal);
        Assert.All(boot.Entropy, text => Assert.Equal(4096, Convert.FromBase64String(text).Length));
        Assert.NotEqual(boot.Entropy[0], boot.Entropy[1]);
    }

    [Fact]
    public void An_alarm_of_the_real_time_clock_comes() => Assert.Matches(@"^8: +[1-9]\d* .*rtc0", boot.Alarm);

    [Fact]
    public void The_network_in_user_mode_gives_an_address_and_a_route_by_DHCP()
    {
        Assert.Contains("inet 10.0.2.15/24", boot.Addresses, StringComparison.Ordinal);
        Assert.Contains("default via 10.0.2.2", boot.Routes, StringComparison.Ordinal);
    }

    [Fact]
    public void The_guest_fetches_a_file_from_a_server_on_the_host() =>
        Assert.Equal(boot.FetchedExpected, boot.Fetched);

    [Fact]
    public void A_forwarded_port_of_the_host_reaches_a_server_in_the_guest() =>
        Assert.Equal(DevicesBoot.Greeting, boot.Forwarded.Trim());
}
