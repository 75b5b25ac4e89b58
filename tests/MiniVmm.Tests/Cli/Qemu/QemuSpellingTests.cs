using MiniVmm.Cli.Qemu;

namespace MiniVmm.Tests.Cli.Qemu;

/// <summary>How messages name options to whoever wrote QEMU's.</summary>
public sealed class QemuSpellingTests
{
    /// <summary>What only `minivmm run` has keeps its name.</summary>
    private static readonly OptionName[] Own =
    [
        OptionName.Decompress, OptionName.Format, OptionName.LoadAddr, OptionName.Entry, OptionName.Pin, OptionName.NoAssist, OptionName.VirtioCmdline,
        OptionName.ScreenshotAtEnd, OptionName.Timeout, OptionName.HangAfter, OptionName.Core, OptionName.Symbols, OptionName.Stats,
    ];

    [Fact]
    public void Each_option_that_QEMU_has_too_is_named_as_QEMU_has_it()
    {
        foreach (OptionName name in Enum.GetValues<OptionName>().Except(Own))
        {
            string spelling = QemuSpelling.Of(new NamedOption(name));
            Assert.True(QemuOptions.Find(spelling.Split(' ')[0]) is not null && !spelling.StartsWith("--", StringComparison.Ordinal), $"{name}: {spelling}");
        }

        Assert.All(Own, name => Assert.StartsWith("--", QemuSpelling.Of(new NamedOption(name)), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(OptionName.Gdb, "tcp::1", "-gdb tcp::1")]
    [InlineData(OptionName.Display, "tty", "-display curses")]
    [InlineData(OptionName.Display, "vnc=5901", "-display vnc=5901")]
    [InlineData(OptionName.Share, "/srv", "-virtfs /srv")]
    [InlineData(OptionName.Rng, null, "-device virtio-rng")]
    [InlineData(OptionName.Firmware, null, "-bios")]
    public void A_value_is_behind_it(OptionName name, string? value, string spelling) =>
        Assert.Equal(spelling, QemuSpelling.Of(new NamedOption(name, value)));

    [Theory]
    [InlineData("-hda a", OptionName.Disk, "a", "-hda a")]
    [InlineData("a", OptionName.Disk, "a", "-hda a")]
    [InlineData("-cdrom a", OptionName.Cdrom, "a", "-cdrom a")]
    [InlineData("-fdb a", OptionName.Fda, "a", "-fdb a")]
    [InlineData("-drive file=a,,b,media=cdrom", OptionName.Cdrom, "a,b", "-drive a,b")]
    [InlineData("-blockdev driver=file,filename=a,node-name=n -device ide-cd,drive=n", OptionName.Cdrom, "a", "-blockdev a")]
    [InlineData("-hda x -drive if=pflash,file=a", OptionName.Firmware, "a", "-drive a")]
    [InlineData("-hda a", OptionName.Disk, "b", "-drive b")]
    [InlineData("-hda a", OptionName.Mem, "a", "-m a")]
    public void A_disk_is_named_as_it_was_given(string words, OptionName name, string value, string spelling) => Assert.Equal(
        spelling, QemuSpelling.Of(new NamedOption(name, value), QemuTranslation.Translate(["-bios", "b", .. words.Split(' ')]).Spellings));
}
