using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Machine;

/// <summary>What firmware does to the chipset of QEMU's "pc" machine, and what else a guest may do to it.</summary>
public sealed class FirmwareChipsetTests
{
    private const byte Host = 0, Isa = 8, Power = 11;
    private readonly Bus _ports = new("port", 0xffff);
    private readonly PciBus _pci = new(new PciDecoding(PciWindows.ForFirmware(MemoryLayout.GiB, MemoryLayout.GiB)));
    private readonly List<string> _routes = [];
    private readonly RecordingPower _power = new();

    public FirmwareChipsetTests()
    {
        AcpiPm acpi = new(new RecordingLevel(), _power);
        _ports.Add(acpi, "ACPI", IoPorts.AcpiPm, AcpiPm.Length);
        _ = new FirmwareChipset(_ports, _pci, routes => _routes.Add(Convert.ToHexString(routes)), acpi);
    }

    [Theory]
    [InlineData(Host, 0x1237_8086u, 0x060000u)]
    [InlineData(Isa, 0x7000_8086u, 0x060100u)]
    [InlineData(Power, 0x7113_8086u, 0x068000u)]
    public void Firmware_knows_the_functions_by_their_IDs(byte function, uint id, uint @class)
    {
        Assert.Equal(id, Read(function, 0));
        Assert.Equal(@class, Read(function, 8) >> 8);
        Assert.Equal(0x1100_1af4u, Read(function, 0x2c));
    }

    [Fact]
    public void RAM_below_1_MiB_has_attributes_that_are_kept()
    {
        Write(Host, 0x58, 0x3333_3000);
        Assert.Equal(0x3333_3000u, Read(Host, 0x58));
    }

    [Fact]
    public void Nothing_reaches_the_8259s_before_it_is_routed() => Assert.Equal(["80808080"], _routes);

    [Fact]
    public void A_route_is_that_of_the_line_that_firmware_counts_so()
    {
        Write(Isa, 0x60, 0x0b0b_0a09);
        Assert.Equal("0B090A0B", _routes[^1]); // PIRQA is line 1 of MiniVmm's bus
    }

    [Fact]
    public void System_management_is_set_up_and_cannot_be_otherwise_needed() => Assert.Equal(0x0200_0000u, Read(Power, 0x58));

    [Fact]
    public void ACPIs_registers_are_where_the_tables_say_and_where_firmware_wants_them()
    {
        Write(Power, 0x40, 0xb001);
        Assert.False(PowerOff(0xb004));
        Write(Power, 0x80, 1);
        Assert.True(PowerOff(0xb004));
        Assert.Equal(0xb001u, Read(Power, 0x40));
        Write(Power, 0x40, 0x0601);
        Assert.False(PowerOff(0xb004));
        Assert.True(PowerOff(0x604));
    }

    [Fact]
    public void ACPIs_registers_over_another_device_stay_away_from_there()
    {
        _ports.Add(new WriteOnlyDevice((_, _) => { }), "other", 0xb008, 1);
        Write(Power, 0x80, 1);
        Write(Power, 0x40, 0xb001);
        Assert.False(PowerOff(0xb004));
        Write(Power, 0x40, 0xffc1);
        Assert.True(PowerOff(0xffc4));
    }

    [Fact]
    public void A_guest_of_chance_leaves_the_chipset_as_it_is()
    {
        string before = ReadOnlyBytes();
        for (int seed = 0; seed < 300; seed++)
        {
            Random random = new(seed);
            for (int i = 0; i < 100; i++)
            {
                byte[] data = new byte[1 << random.Next(3)];
                random.NextBytes(data);
                int register = random.Next(256 / data.Length) * data.Length;
                _pci.Write((uint)random.Next(16), register, data);
                _pci.Read((uint)random.Next(16), register, data);
                _ports.Read((ulong)random.Next(0x10000 - 4), data);
            }
        }

        Assert.Equal(before, ReadOnlyBytes());
        Assert.True(PowerOff(0x604));
        Assert.InRange(_routes.Count, 20, int.MaxValue);
    }

    private bool PowerOff(ushort port)
    {
        _power.Calls.Clear();
        return _ports.Write(port, [0x00, 0x20]) && _power.Calls is ["power off"];
    }

    private string ReadOnlyBytes() => string.Join(' ', from function in (byte[])[Host, Isa, Power]
                                                       from register in (int[])[0, 8, 0x2c, 0x34]
                                                       select Read(function, register));

    private uint Read(byte function, int register)
    {
        byte[] data = new byte[4];
        _pci.Read(function, register, data);
        if (register == 0x0c)
            data[2] = 0;
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private void Write(byte function, int register, uint value) => _pci.Write(function, register, BitConverter.GetBytes(value));
}
