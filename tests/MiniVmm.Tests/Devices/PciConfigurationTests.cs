using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Pci;

namespace MiniVmm.Tests.Devices;

public sealed class PciConfigurationTests
{
    private readonly RecordingPower _power = new();
    private readonly PciConfiguration _pci;

    public PciConfigurationTests()
    {
        PciDecoding decoding = new(PciWindows.None);
        PciBus bus = new(decoding);
        bus.Add(PciHostBridge.Slot, PciHostBridge.Create(decoding));
        _pci = new(_power, bus);
    }

    [Fact]
    public void A_kernel_finds_mechanism_1_as_Linux_probes_for_it()
    {
        _pci.Write(3, [0x01]); // a byte at 0xcfb is no address
        Write(0, 0x8000_0000);

        Assert.Equal(0x8000_0000, Read(0));
    }

    [Fact]
    public void The_bus_holds_a_host_bridge_and_nothing_else()
    {
        Write(0, 0x8000_0000);
        Assert.Equal(0x0008_1b36u, Read(4));
        Write(0, 0x8000_0008);
        Assert.Equal(0x0600u, Read(4) >> 16);

        for (uint function = 1; function < 0x10000; function++)
        {
            Write(0, 0x8000_0000 | (function << 8));
            Assert.Equal(uint.MaxValue, Read(4));
        }
    }

    [Fact]
    public void The_data_window_reads_all_ones_while_the_address_is_not_enabled()
    {
        Write(0, 0);

        Assert.Equal(uint.MaxValue, Read(4));
    }

    [Fact]
    public void A_byte_at_0xcf9_is_the_reset_control_and_a_dword_at_0xcf8_is_not()
    {
        Write(0, 0x8000_0600);
        Assert.Empty(_power.Calls);

        _pci.Write(1, [0x06]);
        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void Accesses_of_any_width_at_any_offset_never_fail()
    {
        byte[] data = new byte[8];
        foreach (uint address in (uint[])[0, 0x8000_0000, 0x8000_00fc, 0x8000_00fd, uint.MaxValue])
        {
            Write(0, address);
            for (int offset = 0; offset < PciConfiguration.Length; offset++)
            {
                for (int width = 1; width <= PciConfiguration.Length - offset; width++)
                    _pci.Read((ulong)offset, data.AsSpan(0, width));
            }
        }
    }

    private void Write(ulong offset, uint value)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        _pci.Write(offset, data);
    }

    private uint Read(ulong offset)
    {
        Span<byte> data = stackalloc byte[4];
        _pci.Read(offset, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }
}
