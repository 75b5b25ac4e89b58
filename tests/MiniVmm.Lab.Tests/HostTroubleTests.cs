using System.Diagnostics;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// Two boots from disks that the host lets down. In the first they fill up, break and shrink under the running guest;
/// the second reads back what the first had flushed, has disks and a network with limits, and runs on a terminal.
/// </summary>
public sealed class TroubledBoots : IAsyncLifetime
{
    /// <summary>What a disk's limit lets through: requests, of 64 KiB, a second.</summary>
    public const int DiskRate = 2;

    /// <summary>So many are made.</summary>
    public const int LimitedRequests = 6;

    /// <summary>What the network's limit lets through: KiB a second.</summary>
    public const int NetworkRate = 48;

    /// <summary>Of the file that is fetched.</summary>
    public const int FetchedKibibytes = 192;

    private const string Folder = "/tmp/trouble";
    private const string BrokenDisk = "/dev/dm-0"; // /dev/mapper/broken, where there is udev

    /// <summary>Of the 4 MiB that are written and flushed wherever something is to last.</summary>
    public string Kept { get; private set; } = "";

    /// <summary>What is read back, by the disk and where on it, after the restart.</summary>
    public Dictionary<string, string> Later { get; } = [];

    /// <summary>The same by the disk, while it gives errors.</summary>
    public Dictionary<string, string> Meanwhile { get; } = [];

    /// <summary>Of the guest's commands, by what they are about.</summary>
    public Dictionary<string, (int Status, string Output)> Commands { get; } = [];

    /// <summary>Requests that failed while the raw disk was full.</summary>
    public long FailuresOfFull { get; private set; }

    /// <summary>The first boot's lines on standard error.</summary>
    public string[] Told { get; private set; } = [];

    /// <summary>All that the second one printed, on either output.</summary>
    public string Printed { get; private set; } = "";

    /// <summary>
    /// qemu-img's opinion of a copy taken while the image was full, and of the image after each boot.
    /// </summary>
    public List<(int Status, string Output)> Checks { get; } = [];

    /// <summary>What was flushed, out of that copy.</summary>
    public string InCopy { get; private set; } = "";

    public long LengthOfShort { get; private set; }

    /// <summary>That reads of 64 KiB take on disks with iops=, and with bw=.</summary>
    public double[] SecondsOfRequests { get; } = new double[2];

    /// <summary>That a file takes to the guest by a network with bw=.</summary>
    public double SecondsOfFile { get; private set; }

    /// <summary>Checksums of what was to arrive there, and of what did.</summary>
    public (string Sent, string Received) File { get; private set; }

    /// <summary>Rows and columns, as the guest sees them, after each change of the terminal's.</summary>
    public List<string> Sizes { get; } = [];

    public IEnumerable<string> ToldOf(string disk) =>
        Told.Where(line => line.Contains(disk, StringComparison.Ordinal));

    public async ValueTask InitializeAsync()
    {
        // Full: 24 MiB each, of which 8 are taken by something that can go. Broken: the upper half of 16 MiB.
        await LabHost.ShellAsync($"mkdir -p {Folder}/tmpfs {Folder}/ext4 && cd {Folder} && " +
            "mount -t tmpfs -o size=24m tmpfs tmpfs && " +
            "modprobe brd rd_nr=2 rd_size=24576 && mke2fs -q -t ext4 -m 0 /dev/ram0 && " +
            "mount /dev/ram0 ext4 && for fs in tmpfs ext4; do dd if=/dev/zero of=$fs/ballast bs=1M count=8; done && " +
            "truncate -s 64M tmpfs/full.img && qemu-img create -q -f qcow2 ext4/full.qcow2 64M && " +
            "truncate -s 16M short.img && truncate -s 1G same.img && modprobe dm-mod");
        await LabHost.ShellAsync($"{Table("linear /dev/ram1 16384")} | dmsetup create --noudevsync broken");

        await FirstBootAsync();
        await CheckAsync("ext4/full.qcow2");
        await SecondBootAsync();
        await CheckAsync("ext4/full.qcow2");
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string[] Disks() =>
    [
        "--disk", $"{Folder}/tmpfs/full.img,format=raw", "--disk", $"{Folder}/ext4/full.qcow2,format=qcow2,cache=none",
        "--disk", $"{BrokenDisk},format=raw", "--disk", $"{Folder}/short.img,format=raw",
    ];

    /// <summary>Prints the broken disk's table for dmsetup, in sectors.</summary>
    private static string Table(string upperHalf) =>
        $"printf '%s\\n' '0 16384 linear /dev/ram1 0' '16384 16384 {upperHalf}'";

    private static Task<string> ReloadAsync(string upperHalf) => LabHost.ShellAsync(
        $"{Table(upperHalf)} | dmsetup load broken && dmsetup resume --noudevsync broken");

    private static Task<string> ChecksumAsync(GuestShell guest, string disk, int mebibyte = 0) =>
        guest.RunAsync($"dd if=/dev/{disk} bs=1M skip={mebibyte} count=4 iflag=direct 2>/dev/null | md5sum");

    private static string Write(string disk, int mebibyte) =>
        $"dd if=/tmp/kept of=/dev/{disk} bs=1M seek={mebibyte} conv=fsync";

    private async Task FirstBootAsync()
    {
        await using GuestShell guest = await GuestShell.StartAsync(
            "trouble", "", ["--mem", "256M", "--name", "lab-trouble", .. Disks()]);
        await guest.RunAsync("dd if=/dev/urandom of=/tmp/kept bs=1M count=4");
        Kept = await guest.RunAsync("md5sum </tmp/kept");
        foreach (string disk in new[] { "vda", "vdb", "vdc", "vdd" })
        {
            await guest.RunAsync(Write(disk, 0));
        }

        await FillUpAsync(guest);
        await BreakAsync(guest);
        await ShrinkAsync(guest);
        await guest.PowerOffAsync();
        Told = guest.Vmm.ErrorLines;
    }

    private async Task FillUpAsync(GuestShell guest)
    {
        // By way of the guest's cache, where the flush tells; and past it, where the write does.
        Commands["full"] = await guest.TryAsync("dd if=/dev/zero of=/dev/vda bs=1M seek=4 count=40 conv=fsync");
        FailuresOfFull = (await LabHost.StatisticsAsync("lab-trouble")).GetProperty("devices").EnumerateArray()
            .Single(device => device.GetProperty("name").GetString() == "disk0")
            .GetProperty("counters").GetProperty("failures").GetInt64();
        Commands["full qcow2"] =
            await guest.TryAsync("dd if=/dev/zero of=/dev/vdb bs=1M seek=4 count=40 oflag=direct");
        Commands["full qcow2, flush"] = await guest.TryAsync("dd if=/dev/zero of=/dev/vdb count=0 conv=notrunc,fsync");
        Meanwhile["vda"] = await ChecksumAsync(guest, "vda");
        Meanwhile["vdb"] = await ChecksumAsync(guest, "vdb");

        // What there would be, were the machine killed now.
        await LabHost.ShellAsync($"cd {Folder} && cp --sparse=always ext4/full.qcow2 copy.qcow2 && " +
            "qemu-img convert -O raw copy.qcow2 copy.img");
        await CheckAsync("copy.qcow2");
        InCopy = (await LabHost.ShellAsync($"head -c 4M {Folder}/copy.img | md5sum")).Trim();

        await LabHost.ShellAsync($"rm {Folder}/tmpfs/ballast {Folder}/ext4/ballast");
        Commands["room"] = await guest.TryAsync(Write("vda", 40));
        Commands["room qcow2"] = await guest.TryAsync(Write("vdb", 40));
    }

    private async Task BreakAsync(GuestShell guest)
    {
        await ReloadAsync("error");
        Commands["broken"] = await guest.TryAsync(Write("vdc", 8));
        Commands["broken read"] = await guest.TryAsync("dd if=/dev/vdc of=/dev/null bs=1M skip=14 iflag=direct");
        Meanwhile["vdc"] = await ChecksumAsync(guest, "vdc");
        await ReloadAsync("linear /dev/ram1 16384");
        Commands["mended"] = await guest.TryAsync(Write("vdc", 4));
    }

    private async Task ShrinkAsync(GuestShell guest)
    {
        await LabHost.ShellAsync($"truncate -s 4M {Folder}/short.img");
        Commands["short"] = await guest.TryAsync(Write("vdd", 8));
        Commands["short read"] = await guest.TryAsync("dd if=/dev/vdd of=/dev/null bs=1M skip=8 iflag=direct");
        Meanwhile["vdd"] = await ChecksumAsync(guest, "vdd");
        LengthOfShort = new FileInfo($"{Folder}/short.img").Length;
        await LabHost.ShellAsync($"truncate -s 16M {Folder}/short.img");
        Commands["long again"] = await guest.TryAsync(Write("vdd", 8));
    }

    private async Task SecondBootAsync()
    {
        await using GuestShell guest = await GuestShell.StartOnTerminalAsync("after-trouble", "lab.tty=hvc0",
            ["--mem", "256M", "--console", "virtio", .. Disks(),
                "--disk", $"{Folder}/same.img,format=raw,ro,iops={DiskRate}",
                "--disk", $"{Folder}/same.img,format=raw,ro,bw={DiskRate * 64}K",
                "--net", $"user,bw={NetworkRate}K"]);
        foreach ((int columns, int rows) in new[] { (101, 33), (132, 50) })
        {
            await guest.Vmm.ResizeTerminalAsync(columns, rows);
            Sizes.Add(await guest.RunAsync("for i in $(seq 100); do " +
                $"[ \"$(stty size 2>/dev/null)\" = '{rows} {columns}' ] && break; usleep 50000; done; stty size"));
        }

        foreach (string disk in new[] { "vda", "vdb", "vdc", "vdd" })
        {
            Later[disk] = await ChecksumAsync(guest, disk);
        }

        foreach (string disk in new[] { "vda", "vdb" })
        {
            Later[$"{disk} with room"] = await ChecksumAsync(guest, disk, 40);
        }

        Later["vdd long again"] = await ChecksumAsync(guest, "vdd", 8);

        await MeasureAsync(guest);
        await guest.PowerOffAsync();
        Printed = guest.Vmm.Output;
    }

    private async Task MeasureAsync(GuestShell guest)
    {
        for (int i = 0; i < SecondsOfRequests.Length; i++)
        {
            Stopwatch reads = Stopwatch.StartNew();
            await guest.RunAsync($"dd if=/dev/vd{"ef"[i]} of=/dev/null bs=64k count={LimitedRequests} iflag=direct");
            SecondsOfRequests[i] = reads.Elapsed.TotalSeconds;
        }

        const string port = "8099";
        await LabHost.ShellAsync($"busybox httpd -p 127.0.0.1:{port} -h {Folder} </dev/null >/dev/null 2>&1");
        string sent = await LabHost.ShellAsync(
            $"cd {Folder} && dd if=/dev/urandom of=file bs=1k count={FetchedKibibytes} && md5sum <file");
        await guest.RunAsync("ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up");
        Stopwatch fetch = Stopwatch.StartNew();
        await guest.RunAsync($"wget -q -O /tmp/file http://10.0.2.2:{port}/file");
        SecondsOfFile = fetch.Elapsed.TotalSeconds;
        File = (sent.Trim(), await guest.RunAsync("md5sum </tmp/file"));
    }

    private async Task CheckAsync(string image)
    {
        (int status, string output, string errors) = await LabHost.TryShellAsync($"qemu-img check {Folder}/{image}");
        Checks.Add((status, output + errors));
    }
}

[Trait(LabKind.Trait, LabKind.Kvm)]
public sealed class HostTroubleTests(TroubledBoots boots) : IClassFixture<TroubledBoots>
{
    private const string InputOutputError = "Input/output error";

    [Theory]
    [InlineData("full")]
    [InlineData("full qcow2")]
    [InlineData("broken")]
    [InlineData("broken read")]
    [InlineData("short")]
    [InlineData("short read")]
    public void The_guest_gets_an_IO_error_for_what_the_host_cannot_do(string command)
    {
        (int status, string output) = boots.Commands[command];
        Assert.NotEqual(0, status);
        Assert.Contains(InputOutputError, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("full.img", "a write")]
    [InlineData("full.qcow2", "a write")]
    [InlineData("/dev/dm-0", "a flush", "a read")]
    [InlineData("short.img", "a write", "a read")]
    public void The_user_gets_one_line_for_each_thing_that_fails(string disk, params string[] operations)
    {
        string[] lines = [.. boots.ToldOf(disk)];
        Assert.True(lines.Length == operations.Length, string.Join('\n', lines));
        string errno = disk.StartsWith("full", StringComparison.Ordinal) ? "(ENOSPC)" : "(EIO)";
        foreach ((string line, string operation) in lines.Zip(operations))
        {
            Assert.Contains($": {operation} ", line, StringComparison.Ordinal);
            Assert.Contains(errno, line, StringComparison.Ordinal);
            Assert.EndsWith("the guest gets an I/O error", line, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_disk_fails_often_and_the_user_is_told_once()
    {
        Assert.InRange(boots.FailuresOfFull, 10, long.MaxValue);
        Assert.Single(boots.ToldOf("full.img"));
    }

    [Fact]
    public void A_guest_whose_disk_was_full_writes_on_once_there_is_room()
    {
        Assert.Equal((0, 0), (boots.Commands["room"].Status, boots.Commands["room qcow2"].Status));
        Assert.Equal(boots.Kept, boots.Later["vda with room"]);
        Assert.Equal(boots.Kept, boots.Later["vdb with room"]);
    }

    [Theory]
    [InlineData("vda")]
    [InlineData("vdb")]
    [InlineData("vdc")]
    [InlineData("vdd")]
    public void What_was_flushed_is_there_meanwhile_and_after_a_restart(string disk)
    {
        Assert.Equal(boots.Kept, boots.Meanwhile[disk]);
        Assert.Equal(boots.Kept, boots.Later[disk]);
    }

    [Fact]
    public void A_full_image_has_all_that_was_flushed_were_the_machine_killed_then()
    {
        Assert.True(boots.Checks[0].Status == 0, boots.Checks[0].Output);
        Assert.Equal(boots.Kept, boots.InCopy);
    }

    [Fact]
    public void QemuImg_finds_an_image_that_was_full_clean()
    {
        Assert.All(boots.Checks[1..], check => Assert.True(check.Status == 0, check.Output));
    }

    [Fact]
    public void After_a_flush_that_failed_none_succeeds_before_the_restart()
    {
        (int status, string output) = boots.Commands["mended"];
        Assert.NotEqual(0, status);
        Assert.Contains(InputOutputError, output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_shrank_is_not_written_until_it_is_as_long_as_before()
    {
        Assert.Equal(4 << 20, boots.LengthOfShort);
        Assert.Equal(0, boots.Commands["long again"].Status);
        Assert.Equal(boots.Kept, boots.Later["vdd long again"]);
    }

    [Fact]
    public void After_the_restart_there_is_nothing_to_complain_of() =>
        Assert.DoesNotContain("minivmm: ", boots.Printed, StringComparison.Ordinal);

    // Lower bounds of what a limit is for: they hold however slow the lab is, and without a limit it is far below them.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_disk_with_a_limit_serves_no_more_than_that(int limited)
    {
        // One request is free at the start, and one is done on credit.
        Assert.InRange(
            boots.SecondsOfRequests[limited],
            (TroubledBoots.LimitedRequests - 2) / (double)TroubledBoots.DiskRate,
            double.MaxValue);
    }

    [Fact]
    public void A_network_with_a_limit_carries_no_more_than_that()
    {
        Assert.Equal(boots.File.Sent, boots.File.Received);

        // 64 KiB may come at once, and a frame on credit.
        Assert.InRange(
            boots.SecondsOfFile,
            (TroubledBoots.FetchedKibibytes - 64 - 2) / (double)TroubledBoots.NetworkRate,
            double.MaxValue);
    }

    [Fact]
    public void The_guests_terminal_follows_the_size_of_minivmms() => Assert.Equal(["33 101", "50 132"], boots.Sizes);
}
