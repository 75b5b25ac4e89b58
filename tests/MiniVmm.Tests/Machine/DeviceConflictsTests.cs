using MiniVmm.Configuration;
using MiniVmm.Devices;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Storage;
using MiniVmm.Terminal;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Machine;

public sealed class DeviceConflictsTests
{
    private static readonly GuestMemoryMap Memory = new(64 * MemoryLayout.MiB);

    [Fact]
    public void Two_of_ones_own_are_told_apart()
    {
        DeviceDescription own = Own(DeviceWindow.Ports(0x500, 4));

        Assert.Throws<BadInputException>(() => Check(own, own with { Name = "other" }));
        Check(own, own with { Name = "other", Window = DeviceWindow.Ports(0x504, 4) });
    }

    [Fact]
    public void A_device_in_the_hole_below_4_GiB_fits() =>
        Check(Own(DeviceWindow.Memory(0xe000_0000, 0x1000)) with { Interrupt = 11, Acpi = new("OWN0", "MVMM0001", 0) });

    [Theory]
    [InlineData(true, 0x3ff, 1, "own: ports 0x3ff-0x3ff overlap those of serial port COM1")]
    [InlineData(true, 0x3e0, 64, "overlap those of serial port COM1")]
    [InlineData(true, 0x21, 1, "overlap those of the first 8259")]
    [InlineData(true, 0x43, 1, "overlap those of the 8254")]
    [InlineData(false, 0x1000, 8, "own: memory 0x1000-0x1007 overlap those of guest RAM")]
    [InlineData(false, 0xfee0_0800, 8, "overlap those of the local APICs")]
    [InlineData(false, 0xd000_0f00, 0x200, "overlap those of disk0")]
    [InlineData(true, 0xffff, 2, "own: 2 ports at 0xffff do not fit")]
    [InlineData(true, 0x500, 0, "own: 0 ports at 0x500 do not fit")]
    [InlineData(false, ulong.MaxValue, 1, "own: 1 bytes at 0xffffffffffffffff do not fit")]
    public void A_window_that_is_taken_or_impossible_is_refused_with_its_owner(
        bool ports, ulong start, ulong length, string refusal)
    {
        string message = Assert.Throws<BadInputException>(() => Check(Own(new(ports, start, length)))).Message;

        Assert.Contains(refusal, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4, "own: interrupt line 4 is that of serial port COM1")]
    [InlineData(0, "interrupt line 0 is that of the PC's timer or second 8259")]
    [InlineData(16, "interrupt line 16 is that of disk0")]
    [InlineData(24, "there is no interrupt line 24; use 0 to 23")]
    public void An_interrupt_line_that_is_taken_or_impossible_is_refused(byte line, string refusal)
    {
        DeviceDescription own = Own(DeviceWindow.Ports(0x500, 4)) with { Interrupt = line };

        Assert.Contains(refusal, Assert.Throws<BadInputException>(() => Check(own)).Message, StringComparison.Ordinal);
    }

    /// <summary>By command line, --device isa-debug-exit and isa-debugcon with their iobase=.</summary>
    [Theory]
    [InlineData("isa-debug-exit,iobase=0x3f8", "debug exit: ports 0x3f8-0x3fb overlap those of serial port COM1; use another iobase=")]
    [InlineData("isa-debugcon,iobase=0x70", "debug console: ports 0x70-0x70 overlap those of real-time clock")]
    [InlineData("isa-debug-exit,iobase=0xcfc", "overlap those of PCI configuration")]
    [InlineData("isa-debug-exit,iobase=0x43", "overlap those of the 8254")]
    [InlineData("isa-debug-exit,iobase=0x1f0", "overlap those of the IDE channels")]
    [InlineData("isa-debug-exit,iobase=0x1ce", "overlap those of bochs-display")]
    [InlineData("isa-debug-exit,iobase=0x400,iosize=4", "overlap those of firmware's debug port")]
    [InlineData("isa-debug-exit,iobase=0xe7,iosize=4", "overlap those of debug console")]
    [InlineData("isa-debug-exit,iobase=0xf4,iosize=4", null)]
    [InlineData("isa-debug-exit,iobase=0x501", null)]
    [InlineData("isa-debugcon,iobase=0x402", null)] // instead of firmware's own
    public void A_debug_device_may_be_anywhere_but_where_another_is(string text, string? refusal)
    {
        MachineOptions options = new MachineOptions
        {
            Firmware = "bios",
            BochsDisplay = true,
            DebugConsole = DebugConsoleKind.Stderr,
            Disks = [new DiskOptions { File = "d", Interface = DiskInterface.Ide }],
        }.With(OptionName.Device, text);
        void Check() => DeviceConflicts.Check(PcPlatform.Devices(options), [], Memory, [], hasIde: true, options: options);

        if (refusal is null)
            Check();
        else
            Assert.Contains(refusal, Assert.Throws<BadInputException>(Check).OnCommandLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_ACPI_has_no_words_for_is_refused()
    {
        AcpiIdentity identity = new("OWN0", "MVMM0001", 0);

        Assert.Throws<BadInputException>(() => Check(Own(DeviceWindow.Ports(0x1000, 256)) with { Acpi = identity }));
        Assert.Throws<BadInputException>(
            () => Check(Own(DeviceWindow.Memory(0xf_0000_0000, 8)) with { Acpi = identity }));
        Check(Own(DeviceWindow.Memory(0xf_0000_0000, 8)));
    }

    private static DeviceDescription Own(DeviceWindow window) => new("own", window, _ => throw new NotSupportedException());

    private static void Check(params DeviceDescription[] own) =>
        DeviceConflicts.Check(PcPlatform.Devices(new MachineOptions { Kernel = "" }), own, Memory, [new VirtioMmioSlot(0, "disk0", 16)]);
}
