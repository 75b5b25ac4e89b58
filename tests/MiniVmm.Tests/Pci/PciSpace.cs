using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Pci;

/// <summary>A function's configuration space as a driver sees it.</summary>
/// <param name="functions">Both mechanisms end here.</param>
/// <param name="function">Bits 7:3 and 2:0: device and function.</param>
internal sealed class PciSpace(IPciConfiguration functions, uint function)
{
    public uint Read32(int register) => Read(register, sizeof(uint));

    public ushort Read16(int register) => (ushort)Read(register, sizeof(ushort));

    public byte Read8(int register) => (byte)Read(register, sizeof(byte));

    public void Write32(int register, uint value) => Write(register, value, sizeof(uint));

    public void Write16(int register, ushort value) => Write(register, value, sizeof(ushort));

    public void Write8(int register, byte value) => Write(register, value, sizeof(byte));

    /// <summary>The capabilities, as offset and ID.</summary>
    public IEnumerable<(int Offset, byte Id)> Capabilities()
    {
        int seen = 0;
        for (int at = Read8(0x34); at != 0; at = Read8(at + 1))
        {
            Assert.True(++seen < 48, "the list has a loop");
            Assert.Equal(0, at & 3);
            yield return (at, Read8(at));
        }
    }

    /// <summary>What sizing finds, as 6.2.5.1 has it: all ones written, and what stays 0 read.</summary>
    public ulong SizeOf(int bar, bool is64Bit)
    {
        int at = 0x10 + (4 * bar);
        uint low = Read32(at);
        Write32(at, uint.MaxValue);
        ulong mask = Read32(at) & ~0xfu;
        Write32(at, low);
        if (!is64Bit)
            return ~(mask | 0xffff_ffff_0000_0000) + 1;
        uint high = Read32(at + 4);
        Write32(at + 4, uint.MaxValue);
        mask |= (ulong)Read32(at + 4) << 32;
        Write32(at + 4, high);
        return ~mask + 1;
    }

    private uint Read(int register, int length)
    {
        Span<byte> data = stackalloc byte[sizeof(uint)];
        data.Clear();
        functions.Read(function, register, data[..length]);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private void Write(int register, uint value, int length)
    {
        Span<byte> data = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        functions.Write(function, register, data[..length]);
    }
}
