using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Firmware;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Machine;

public sealed class PlatformTests
{
    private readonly RecordingSink _sink = new();
    private readonly RecordingSink _debugSink = new();
    private readonly RecordingLevel _sci = new();
    private readonly RecordingPower _power = new();
    private readonly Bus _ports = new("port", 0xffff);
    private readonly DeviceSet _devices;

    public PlatformTests() => _devices = Make(PcPlatform.Devices(new MachineOptions { Kernel = "" }));

    [Theory]
    [InlineData(0x604, 2, 0x2000, "power off")] // QEMU's, as test kernels know it
    [InlineData(0xf4, 4, 0x10, "debug exit 10")]
    [InlineData(0x64, 1, 0xfe, "reset")]
    [InlineData(0x92, 1, 0x01, "reset")]
    [InlineData(0xcf9, 1, 0x06, "reset")]
    public void The_ways_out_are_at_the_ports_that_kernels_use(ulong port, int width, uint value, string call)
    {
        Assert.True(_ports.Write(port, BitConverter.GetBytes(value).AsSpan(0, width)));

        Assert.Equal([call], _power.Calls);
    }

    [Fact]
    public void Text_is_printed_by_the_UART_and_by_the_debug_console()
    {
        Assert.True(_ports.Write(0x3f8, "x"u8));
        Assert.True(_ports.Write(0xe9, "y"u8));

        Assert.Equal([(byte)'x'], _sink.Bytes);
        Assert.Equal([(byte)'y'], _debugSink.Bytes);
    }

    [Fact]
    public void A_press_of_the_power_button_interrupts_a_guest_that_enabled_it_at_the_FADTs_port()
    {
        Assert.False(_devices.Find<AcpiPm>()!.PressPowerButton());
        Assert.True(_ports.Write(0x602, [0x00, 0x01]));

        Assert.True(_devices.Find<AcpiPm>()!.PressPowerButton());

        Assert.Equal([true], _sci.Calls);
    }

    [Fact]
    public void A_text_console_finds_the_VGAs_cursor_registers()
    {
        Assert.True(_ports.Write(0x3d4, [0x0f, 0x50]));

        byte[] low = new byte[1];
        Assert.True(_ports.Read(0x3d5, low));
        Assert.Equal(0x50, low[0]);
        Assert.True(_ports.Read(0x3da, low));
        Assert.False(_ports.Read(0x3b4, low)); // the monochrome ones are not there in colour
    }

    [Theory]
    [InlineData(0xcf4, 4)]
    [InlineData(0xd00, 4)]
    [InlineData(0x3ff, 2)]
    [InlineData(0x2f8, 1)]
    [InlineData(0x402, 1)]
    [InlineData(0xffff, 4)]
    public void Where_no_device_is_reads_are_all_ones_and_writes_do_nothing(ulong port, int width)
    {
        byte[] data = new byte[width];

        Assert.False(_ports.Read(port, data));
        Assert.All(data, value => Assert.Equal(0xff, value));
        Assert.False(_ports.Write(port, data));
        Assert.Empty(_power.Calls);
    }

    [Fact]
    public void Reads_of_any_port_at_any_width_never_fail()
    {
        byte[] data = new byte[8];
        for (ulong port = 0; port <= 0xffff; port++)
        {
            foreach (int width in (int[])[1, 2, 4])
                _ports.Read(port, data.AsSpan(0, width));
        }

        Assert.Empty(_power.Calls);
    }

    [Fact]
    public void No_port_of_KVMs_own_devices_is_claimed() // the 8259s, the 8254; 0x61 goes with the latter
    {
        foreach (ulong port in (ulong[])[0x20, 0x21, 0xa0, 0xa1, 0x40, 0x43, 0x4d0, 0x4d1])
            Assert.False(_ports.Read(port, new byte[1]));
    }

    [Theory]
    [InlineData(PcDevices.Serial, 0x3f8)]
    [InlineData(PcDevices.DebugConsole, 0xe9)]
    [InlineData(PcDevices.DebugExit, 0xf4)]
    [InlineData(PcDevices.Clock, 0x70)]
    [InlineData(PcDevices.KeyboardController, 0x64)]
    [InlineData(PcDevices.SystemControlA, 0x92)]
    [InlineData(PcDevices.VgaCrtc, 0x3d4)]
    public void Each_of_them_can_be_left_out_alone(PcDevices device, ulong port)
    {
        Bus without = new("port", 0xffff);
        Make(PcPlatform.Devices(new MachineOptions { Kernel = "", PcDevices = PcDevices.All & ~device }), without);

        Assert.True(_ports.Read(port, new byte[1]));
        Assert.False(without.Read(port, new byte[1]));
        Assert.Equal(_ports.Windows.Count() - 1, without.Windows.Count());
    }

    [Theory]
    [InlineData(DisplayKind.Auto, false)]
    [InlineData(DisplayKind.None, false)]
    [InlineData(DisplayKind.Tty, true)]
    [InlineData(DisplayKind.Vnc, true)]
    public void The_keyboard_is_told_of_where_somebody_has_asked_for_a_display(DisplayKind display, bool told)
    {
        DeviceDescription keyboard = Assert.Single(
            PcPlatform.Devices(new MachineOptions { Kernel = "", Display = display }), device => device.Name == "i8042");
        List<byte> connected = [];
        RecordingInterrupt line = new();
        using DeviceSet devices = Make([keyboard], new("port", 0xffff), gsi =>
        {
            connected.Add(gsi);
            return line;
        });

        devices.Find<I8042>()!.TryReport(new(0x1e), down: true);

        Assert.Equal(told, AmlDevice.Of(keyboard) is { HardwareId: "PNP0303" });
        Assert.Equal(told ? [IoPorts.KeyboardIrq] : Array.Empty<byte>(), connected);
        Assert.Equal(told ? 1 : 0, line.Edges);
    }

    [Fact]
    public void A_device_of_ones_own_gets_its_window_its_line_and_its_end()
    {
        Own own = new();
        RecordingInterrupt line = new();
        byte? connected = null;
        DeviceDescription description = new("own", DeviceWindow.Ports(0x500, 4), setup =>
        {
            setup.Edge.Trigger();
            return own;
        })
        {
            Interrupt = 5,
        };

        Make([description], new("port", 0xffff), gsi =>
        {
            connected = gsi;
            return line;
        }).Dispose();

        Assert.Equal((byte?)5, connected);
        Assert.Equal(1, line.Edges);
        Assert.True(own.IsDisposed);
    }

    [Fact]
    public void A_line_that_seldom_rises_has_no_file_and_goes_up_and_down()
    {
        RecordingLevel line = new();
        List<byte> files = [], levels = [];
        DeviceDescription clock = Assert.Single(
            PcPlatform.Devices(new MachineOptions { Kernel = "" }), device => device.Name == "real-time clock");
        using DeviceSet devices = Make(
            [clock],
            new("port", 0xffff),
            gsi =>
            {
                files.Add(gsi);
                return new RecordingInterrupt();
            },
            gsi =>
            {
                levels.Add(gsi);
                return line;
            });

        devices.Find<Rtc>()!.Line!.Trigger();

        Assert.Empty(files);
        Assert.Equal([IoPorts.RtcIrq], levels);
        Assert.Equal([true, false], line.Calls);
    }

    private DeviceSet Make(
        IEnumerable<DeviceDescription> devices,
        Bus? ports = null,
        Func<byte, IInterruptTrigger>? connect = null,
        Func<byte, ILevelInterrupt>? connectLevel = null)
    {
        DeviceSetup surroundings = new()
        {
            Memory = new([]),
            Map = new(256 * MemoryLayout.MiB),
            Power = _power,
            Clock = TimeProvider.System,
            Console = _sink,
            DebugConsole = _debugSink,
        };
        return new(
            ports ?? _ports, new("memory", ulong.MaxValue), surroundings, connect ?? (_ => new RecordingInterrupt()),
            connectLevel ?? (_ => _sci), devices);
    }

    private sealed class Own : IBusDevice, IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Read(ulong offset, Span<byte> data) => data.Clear();

        public void Write(ulong offset, ReadOnlySpan<byte> data)
        {
        }

        public void Dispose() => IsDisposed = true;
    }
}
