using MiniVmm.Cli.Qemu;
using MiniVmm.Devices;
using MiniVmm.Machine;
using MiniVmm.Storage;
using MiniVmm.Terminal;

namespace MiniVmm.Tests.Cli.Qemu;

/// <summary>What a machine has from its first start when its guest has reset it.</summary>
public sealed class QemuStartsTests
{
    private readonly Clock _clock = new();

    [Fact]
    public void The_first_start_is_as_it_is_asked_for()
    {
        MachineOptions options = Translate(
            "-bios b -boot order=c,once=d -serial file:a -serial unix:s,server -debugcon file:d -S -s -rtc base=2020-01-02 -hda disk");

        using QemuStarts starts = new(options, _clock);

        Assert.Equal(options with { Disks = [] }, starts.First with { Disks = [] });
        Assert.Equal(options.Disks, starts.First.Disks);
        Assert.False(options.ConsoleAppends || options.DebugConsoleAppends || options.Com2!.Appends);
        Assert.True(options.Com2.Socket!.Waits && options.GdbWaits);
    }

    [Fact]
    public void Later_ones_boot_by_the_usual_order_go_on_in_files_and_wait_for_nobody()
    {
        using QemuStarts starts = new(
            Translate("-bios b -boot order=c,once=d -serial unix:s,server -serial file:a -debugcon file:d -S -s"), _clock);

        MachineOptions later = starts.Later();

        Assert.Equal(new BootOrder("c"), later.BootOrder);
        Assert.Equal(new SerialTarget(ConsoleKind.File, "a") { Appends = true }, later.Com2);
        Assert.Equal(("d", true), (later.DebugConsolePath, later.DebugConsoleAppends));
        Assert.False(later.ConsoleSocket!.Waits || later.GdbWaits);
        Assert.Equal("s", later.ConsoleSocket.Path);
        Assert.Equal(starts.First.Gdb, later.Gdb);
    }

    [Fact]
    public void The_clock_goes_on()
    {
        using QemuStarts starts = new(Translate("-kernel k -rtc base=2020-01-02T03:04:05"), _clock);
        using QemuStarts hosts = new(Translate("-kernel k -rtc base=localtime"), _clock);
        _clock.Seconds = 61;

        Assert.Equal(new DateTime(2020, 1, 2, 3, 5, 6), starts.Later().Rtc.Start);
        Assert.Same(RtcBase.LocalTime, hosts.Later().Rtc);
    }

    [Fact]
    public void A_clock_at_the_end_of_its_years_starts_again()
    {
        using QemuStarts starts = new(Translate("-kernel k -rtc base=9998-12-31T23:59:59"), _clock);
        _clock.Seconds = 2;

        Assert.Equal(starts.First.Rtc, starts.Later().Rtc);
    }

    [Fact]
    public void Disks_of_snapshots_are_the_same_at_each_start_and_each_has_its_own_writes()
    {
        using QemuStarts starts = new(
            Translate("-kernel k -drive file=a,if=virtio,snapshot=on -drive file=b,if=virtio -hda c -snapshot -cdrom d"), _clock);

        Assert.Equal(starts.First.Disks, starts.Later().Disks);
        Assert.Equal(
            ["a", "b", "c"], starts.First.Disks.Where(disk => disk.Overlay is not null).Select(disk => disk.File).Order());
        Assert.Equal(3, starts.First.Disks.Select(disk => disk.Overlay).OfType<SnapshotOverlay>().Distinct().Count());
        using QemuStarts plain = new(Translate("-kernel k -hda c"), _clock);
        Assert.All(plain.First.Disks, disk => Assert.Null(disk.Overlay));
    }

    private static MachineOptions Translate(string words) => QemuTranslation.Translate(words.Split(' ')).Options;

    private sealed class Clock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
