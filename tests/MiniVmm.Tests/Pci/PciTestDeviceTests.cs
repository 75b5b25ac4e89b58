using System.Buffers.Binary;
using System.Text;
using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Pci;

namespace MiniVmm.Tests.Pci;

public sealed class PciTestDeviceTests
{
    private readonly PciTestRegisters _registers = new("mmio", 2048);

    [Theory]
    [InlineData(0, 0xce, "mmio-no-eventfd")]
    [InlineData(1, 0xce, "mmio-wildcard-eventfd")]
    [InlineData(2, 0xfa, "mmio-datamatch-eventfd")]
    public void A_test_says_where_and_what_to_write(byte test, byte data, string name)
    {
        _registers.Write(0, [test]);

        byte[] header = Header();
        Assert.Equal((test, 1, 2048 + test), (header[0], header[1], BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4))));
        Assert.Equal((data, 0), (header[8], BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(12))));
        Assert.Equal(name, Encoding.ASCII.GetString(header.AsSpan(16)).TrimEnd('\0'));
    }

    [Theory]
    [InlineData(0, 0x11, 3)]
    [InlineData(1, 0x11, 3)]
    [InlineData(2, 0x11, 0)]
    [InlineData(2, 0xfa, 3)]
    public void It_counts_the_writes_that_match(byte test, byte data, int count)
    {
        _registers.Write(0, [test]);
        for (int i = 0; i < 3; i++)
            _registers.Write(2048u + test, [data]);
        _registers.Write(2048u + test + 8, [data]);

        Assert.Equal(count, BinaryPrimitives.ReadInt32LittleEndian(Header().AsSpan(12)));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(255)]
    public void A_test_that_is_not_there_reads_as_0(byte test)
    {
        _registers.Write(0, [1]);
        _registers.Write(0, [test]);
        _registers.Write(2049, [1]);

        Assert.All(Header(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Reads_behind_the_header_give_0()
    {
        _registers.Write(0, [1]);
        byte[] data = [9, 9, 9, 9];
        _registers.Read(46, data);

        Assert.Equal([0, 0, 0, 0], data);
    }

    [Fact]
    public void Both_its_BARs_are_decoded_where_they_are_assigned()
    {
        PciDecoding decoding = new(PciWindows.Above(MemoryLayout.GiB));
        (Bus memory, Bus ports) = (new("memory", ulong.MaxValue), new("port", 0xffff));
        (PciEndpoint endpoint, _) = PciTestDevice.Create(decoding, memory, ports);
        PciAssignment.Assign(decoding.Windows, [endpoint]);

        Assert.Equal((0x1000ul, 0x100ul), (Assert.Single(memory.Windows).Range.Length, Assert.Single(ports.Windows).Range.Length));
    }

    private byte[] Header()
    {
        byte[] header = new byte[40];
        for (int i = 0; i < header.Length; i += 8)
            _registers.Read((ulong)i, header.AsSpan(i, 8));
        return header;
    }
}
