using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Firmware;

/// <summary>What a test kernel or firmware learns of the machine by fw_cfg.</summary>
public sealed class FwCfgMachineTests
{
    private static readonly FirmwareCpus Cpus = new([new(0, true), new(1, true), new(4, true), new(5, false)]);

    [Theory]
    [InlineData(0x05, 2, 3UL)] // processors that are there
    [InlineData(0x0f, 2, 6UL)] // bound of their APIC IDs
    [InlineData(0x03, 8, 4 * MemoryLayout.GiB)] // RAM
    [InlineData(0x01, 4, 3UL)] // ports and DMA
    public void Counts_and_sizes_are_little_endian(int key, int width, ulong value)
    {
        byte[] data = new byte[8];
        Read(Describe(), (ushort)key, width).CopyTo(data, 0);
        Assert.Equal(value, BinaryPrimitives.ReadUInt64LittleEndian(data));
    }

    [Fact]
    public void The_memory_map_has_RAM_below_the_hole_and_above_it()
    {
        FwCfgItems items = Describe();
        Assert.Contains(FwCfgMachine.E820, items.FileNames);
        byte[] map = Read(items, 0x20, 41);

        Assert.Equal((0UL, MemoryLayout.HoleStart, 1u), Entry(map));
        Assert.Equal((MemoryLayout.HighRam, MemoryLayout.GiB, 1u), Entry(map.AsSpan(20)));
        Assert.Equal(0, map[40]);
    }

    private static FwCfgItems Describe()
    {
        FwCfgItems items = new();
        FwCfgMachine.Describe(items, new GuestMemoryMap(4 * MemoryLayout.GiB), Cpus);
        return items;
    }

    private static (ulong Start, ulong Length, uint Type) Entry(ReadOnlySpan<byte> entry) =>
    (
        BinaryPrimitives.ReadUInt64LittleEndian(entry),
        BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(entry[16..]));

    private static byte[] Read(FwCfgItems items, ushort key, int length)
    {
        FwCfg device = new(items, new GuestMemory([]));
        device.Out(0, key, 2);
        return [.. Enumerable.Range(0, length).Select(_ => device.In(1))];
    }
}
