using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Devices;

public sealed unsafe class PcTestDevicesTests
{
    private const int Page = 4096;

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(0, 4)]
    [InlineData(3, 1)]
    public void Registers_read_as_written(int offset, int size)
    {
        EchoRegisters registers = new("test", 4);
        byte[] written = [0x11, 0x22, 0x33, 0x44];
        registers.Write((ulong)offset, written.AsSpan(0, size));

        byte[] read = new byte[size];
        registers.Read((ulong)offset, read);

        Assert.Equal(written[..size], read);
    }

    [Fact]
    public void What_reaches_over_the_registers_end_is_cut_off_there()
    {
        EchoRegisters registers = new("test", 4);
        registers.Write(3, [1, 2, 3, 4]);

        byte[] read = [9, 9, 9, 9];
        registers.Read(3, read);

        Assert.Equal([1, 0, 0, 0], read);
    }

    [Fact]
    public void A_page_that_is_flushed_keeps_its_rights_and_its_bytes()
    {
        byte* ram = (byte*)NativeMemory.AlignedAlloc(4 * Page, Page);
        try
        {
            new Span<byte>(ram, 4 * Page).Fill(0x5a);
            PageFlush flush = new(new GuestMemory([new RamSlot(new GuestRange(0x1000, 4 * Page), (nint)ram)]));
            foreach (uint address in (uint[])[0x2abc, 0x1000, 0x4fff, 0x5000, 0, 0xffff_ffff])
            {
                byte[] data = new byte[4];
                BinaryPrimitives.WriteUInt32LittleEndian(data, address);
                flush.Write(0, data);
            }

            Assert.All(RightsOf((ulong)ram, 4 * Page), rights => Assert.StartsWith("rw-", rights, StringComparison.Ordinal));
            Assert.False(new Span<byte>(ram, 4 * Page).ContainsAnyExcept((byte)0x5a));
            ram[Page] = 1;
        }
        finally
        {
            NativeMemory.AlignedFree(ram);
        }
    }

    [Fact]
    public void Each_port_sets_a_line_of_its_own()
    {
        RecordingLevel[] lines = [.. Enumerable.Range(0, InterruptSwitches.Lines).Select(_ => new RecordingLevel())];
        InterruptSwitches switches = new(line => lines[line]);

        switches.Write(5, [1]);
        switches.Write(23, [0, 0, 0, 0x80]);
        switches.Write(5, [0]);

        Assert.Equal([true, false], lines[5].Calls);
        Assert.True(lines[23].Asserted);
        Assert.All(lines.Where((_, line) => line is not (5 or 23)), line => Assert.Empty(line.Calls));
    }

    private static IEnumerable<string> RightsOf(ulong first, ulong length)
    {
        ulong end = first + length;
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            string[] parts = line.Split(' ', '-');
            (ulong from, ulong to) = (Convert.ToUInt64(parts[0], 16), Convert.ToUInt64(parts[1], 16));
            if (from < end && to > first)
                yield return line.Split(' ')[1];
        }
    }
}
