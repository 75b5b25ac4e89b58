using MiniVmm.Configuration;
using MiniVmm.Devices;
using MiniVmm.Machine;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Configuration;

public sealed class TestDeviceTextTests
{
    private static readonly MachineOptions Bare = new() { Kernel = "", PcDevices = PcDevices.None };

    [Theory]
    [InlineData("isa-debug-exit", 0x501, 2)]
    [InlineData("isa-debug-exit,iobase=0xf4,iosize=0x04", 0xf4, 4)]
    [InlineData("isa-debug-exit,iosize=1,iobase=65535", 0xffff, 1)]
    public void The_debug_exit_is_where_it_is_wanted(string text, int port, int count)
    {
        MachineOptions options = Bare.With(OptionName.Device, text);

        Assert.Equal(PcDevices.DebugExit, options.PcDevices);
        Assert.Equal(DeviceWindow.Ports((ushort)port, count), options.DebugExitPorts);
    }

    /// <summary>As a suite has it that leaves iosize out and writes 32 bits.</summary>
    [Theory]
    [InlineData("isa-debug-exit,iobase=0xf4", 0xf4, 4, true)]
    [InlineData("isa-debug-exit,iobase=0xf4,iosize=1", 0xf4, 4, true)]
    [InlineData("isa-debug-exit,iobase=0xf4", 0xf5, 1, true)]
    [InlineData("isa-debug-exit,iobase=0xf4", 0xf6, 1, false)]
    [InlineData("isa-debug-exit,iobase=0xffff,iosize=1", 0xffff, 1, true)]
    public void A_write_to_its_ports_ends_the_machine_however_wide_it_is(string text, ulong port, int width, bool ends)
    {
        DeviceDescription exit = PcPlatform.Devices(Bare.With(OptionName.Device, text)).Single(device => device.Name == "debug exit");
        RecordingPower power = new();
        Bus ports = new("port", 0xffff);
        DebugExit device = new(power, Bare.With(OptionName.Device, text).DebugExitPorts.Length);
        ports.Add(device, exit.Name, exit.Window.Start, exit.Window.Length);

        ports.Write(port, new byte[width]);

        Assert.Equal(ends ? ["debug exit 0"] : Array.Empty<string>(), power.Calls);
    }

    [Fact]
    public void So_is_the_debug_console()
    {
        MachineOptions options = Bare.With(OptionName.Device, "isa-debugcon,iobase=0x402");

        Assert.Equal(PcDevices.DebugConsole, options.PcDevices);
        Assert.Equal(0x402, options.DebugConsolePort);
        Assert.Equal(0xe9, Bare.With(OptionName.Device, "isa-debugcon").DebugConsolePort);
    }

    [Fact]
    public void Test_devices_are_there_when_asked_for()
    {
        Assert.True(Bare.With(OptionName.Device, "pc-testdev").TestDevices);
        Assert.Contains(
            PcPlatform.Devices(Bare with { TestDevices = true }),
            device => device.Window == DeviceWindow.Memory(0xff00_0000, 0x1_0000));
        Assert.DoesNotContain(PcPlatform.Devices(Bare), device => device.Name.StartsWith("test", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("isa-debug-exit,", "unknown ''")]
    [InlineData("isa-debug-exit,port=4", "unknown 'port=4'; isa-debug-exit has iobase= and iosize=")]
    [InlineData("isa-debugcon,iosize=4", "unknown 'iosize=4'; isa-debugcon has iobase=")]
    [InlineData("isa-debug-exit,iobase=1,iobase=2", "iobase is given twice")]
    [InlineData("isa-debug-exit,iobase=0x10000", "'iobase=0x10000': use a number from 0 to 0xffff")]
    [InlineData("isa-debug-exit,iobase=0x", "'iobase=0x': use a number")]
    [InlineData("isa-debug-exit,iobase=-1", "'iobase=-1': use a number")]
    [InlineData("isa-debug-exit,iosize=5", "'iosize=5': use a number from 1 to 0x4")]
    [InlineData("isa-debug-exit,iobase=0xffff", "ports end at 0xffff, and 2 from 0xffff on do not fit")]
    [InlineData("pc-testdev,x", "unknown 'x'; pc-testdev has no properties")]
    public void What_is_wrong_is_said_with_the_part(string text, string complaint)
    {
        BadInputException e = Assert.Throws<BadInputException>(() => Bare.With(OptionName.Device, text));

        Assert.StartsWith($"Device {text}: {complaint}", e.Message, StringComparison.Ordinal);
    }
}
