using MiniVmm.Cli.Qemu;
using MiniVmm.Execution;

namespace MiniVmm.Tests.Cli.Qemu;

public sealed class QemuCommandTests
{
    [Theory]
    [InlineData("/usr/bin/minivmm", "qemu -m 1", "-m 1")]
    [InlineData("qemu-system-x86_64", "-m 1", "-m 1")]
    [InlineData("/opt/bin/qemu-system-i386", "", "")]
    [InlineData("/usr/bin/minivmm", "run qemu", null)]
    [InlineData("minivmm", "", null)]
    [InlineData("qemu-system-arm", "-m 1", null)]
    public void It_is_QEMU_by_its_name_or_by_a_word(string program, string arguments, string? options)
    {
        string[] words = arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries);

        bool asked = QemuCommand.IsAsked(program, words, out ReadOnlySpan<string> left);

        Assert.Equal(options is not null, asked);
        Assert.Equal(options ?? "", string.Join(' ', left.ToArray()));
    }

    [Theory]
    [InlineData(StopKind.PowerOff, 0, false, 0)]
    [InlineData(StopKind.DebugExit, 0x10, false, 0x21)]
    [InlineData(StopKind.DebugExit, 0, true, 1)]
    [InlineData(StopKind.Reset, 0, true, 0)]
    [InlineData(StopKind.Reset, 0, false, null)]
    [InlineData(StopKind.Interrupted, 0, false, 0)]
    [InlineData(StopKind.RamUnavailable, 0, false, 1)]
    [InlineData(StopKind.Crash, 0, true, 1)]
    public void The_status_is_QEMUs(StopKind kind, uint value, bool endsAtReset, int? status) =>
        Assert.Equal(status, QemuCommand.Status(new(kind, value), tripleFault: false, endsAtReset));

    [Fact]
    public void A_triple_fault_is_a_reset()
    {
        Assert.Null(QemuCommand.Status(new(StopKind.Crash), tripleFault: true, endsAtReset: false));
        Assert.Equal(0, QemuCommand.Status(new(StopKind.Crash), tripleFault: true, endsAtReset: true));
    }

    [Theory]
    [InlineData(StopKind.PowerOff, false, true)]
    [InlineData(StopKind.Reset, false, true)]
    [InlineData(StopKind.Crash, true, true)]
    [InlineData(StopKind.Crash, false, false)]
    [InlineData(StopKind.DebugExit, false, false)]
    [InlineData(StopKind.Interrupted, false, false)]
    [InlineData(StopKind.OutputClosed, false, false)]
    public void Some_ends_are_a_shutdown_which_can_be_waited_at(StopKind kind, bool tripleFault, bool isShutdown) =>
        Assert.Equal(isShutdown, QemuCommand.IsShutdown(new(kind), tripleFault));

    [Fact]
    public void Each_option_is_in_the_table_once_and_says_what_becomes_of_it()
    {
        Assert.All(QemuOptions.All, option => Assert.NotEmpty(option.Note));
        Assert.Equal(QemuOptions.All.Count, QemuOptions.All.DistinctBy(option => option.Name).Count());
    }

    /// <summary>Those that kernel projects' scripts use.</summary>
    [Theory]
    [InlineData(
        "kernel initrd append m smp cpu M machine accel enable-kvm nographic display serial monitor debugcon no-reboot no-shutdown device "
        + "drive blockdev hda cdrom netdev nic net chardev s S gdb d D bios boot fw_cfg name pidfile daemonize snapshot nodefaults "
        + "no-user-config rtc usb")]
    public void The_common_ones_are_known(string names) =>
        Assert.All(names.Split(' '), name => Assert.NotNull(QemuOptions.Find($"-{name}")));

    [Fact]
    public void One_dash_or_two_are_the_same() => Assert.Same(QemuOptions.Find("-smp"), QemuOptions.Find("--smp"));
}
