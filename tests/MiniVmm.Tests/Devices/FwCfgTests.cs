using System.Buffers.Binary;
using System.Text;
using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Tests.Virtio;

namespace MiniVmm.Tests.Devices;

/// <summary>fw_cfg as drivers use it: by ports, and by DMA.</summary>
public sealed class FwCfgTests : IDisposable
{
    private const uint Read = 2, Skip = 4, Select = 8, Write = 16, Error = 1;
    private const ushort Answer = 0x21; // files are numbered in the order of their names
    private readonly TestMemory _memory = new((0, 1 << 20), (1 << 30, 4096));
    private readonly FwCfg _device;

    public FwCfgTests() => _device = new(Items(), _memory.Memory);

    internal static FwCfgItems Items()
    {
        FwCfgItems items = new();
        items.Set(FwCfgItems.Key.Signature, "QEMU"u8.ToArray());
        items.Set32(FwCfgItems.Key.Id, FwCfg.Features);
        items.TryAddFile("opt/answer", "forty-two"u8.ToArray());
        items.TryAddFile("etc/table", new byte[300]);
        return items;
    }

    /// <summary>A device with a file that the guest writes: the last one in the directory.</summary>
    internal static FwCfg Writable(GuestMemory memory, out WrittenFile written)
    {
        FwCfgItems items = Items();
        items.TryAddFile("opt/written", new byte[8]);
        written = new WrittenFile();
        FwCfg device = new(items, memory);
        device.Accept("opt/written", written);
        return device;
    }

    internal static FwCfg Writable(GuestMemory memory) => Writable(memory, out _);

    internal sealed class WrittenFile : IFwCfgWritten
    {
        public byte[] Content { get; } = new byte[8];

        public int Times { get; private set; }

        public void Written() => Times++;
    }

    [Theory]
    [InlineData(0x22, 8, 0, "abcdefgh", 1)]
    [InlineData(0x22, 3, 4, "\0\0\0\0abc\0", 1)] // from where the offset is
    [InlineData(0x22, 9, 0, "\0\0\0\0\0\0\0\0", 0)] // more than fits: nothing
    [InlineData(0x22, 5, 4, "\0\0\0\0\0\0\0\0", 0)]
    [InlineData(Answer, 1, 0, "\0\0\0\0\0\0\0\0", 0)] // another file
    public void A_file_that_somebody_accepts_can_be_written(uint file, uint length, uint skipped, string content, int times)
    {
        FwCfg device = Writable(_memory.Memory, out WrittenFile written);
        ulong data = _memory.Place("abcdefghi"u8);

        Request((file << 16) | Select | Skip, skipped, 0, device: device);
        uint answer = Request(Write, length, data, device: device);

        Assert.Equal((times == 1 ? 0 : Error, times), (answer, written.Times));
        Assert.Equal(content, Encoding.ASCII.GetString(written.Content));
        Assert.Equal(Error, Request((0x22 << 16) | Select | Write, 8, 0x000f_fffc, device: device)); // not all RAM
        Assert.Equal(times, written.Times);
        device.Out(0, 0x22, 2);
        Assert.Equal((byte)content[0], device.In(1));
    }

    [Fact]
    public void Ports_give_the_signature_byte_by_byte_and_zeroes_after_it() => Assert.Equal("QEMU\0\0"u8.ToArray(), Item(0, 6));

    [Fact]
    public void The_directory_names_the_files_with_their_sizes_and_numbers()
    {
        byte[] directory = Item(0x19, 4 + (2 * 64));

        Assert.Equal(2u, BinaryPrimitives.ReadUInt32BigEndian(directory));
        Assert.Equal((300u, 0x20, "etc/table"), Entry(directory.AsSpan(4)));
        Assert.Equal((9u, Answer, "opt/answer"), Entry(directory.AsSpan(68)));
    }

    [Fact]
    public void An_item_that_there_is_not_reads_as_zeroes() => Assert.Equal(new byte[3], Item(0x1234, 3));

    [Fact]
    public void A_selection_begins_an_item_anew()
    {
        Item(Answer, 4);
        Assert.Equal("fort"u8.ToArray(), Item(Answer, 4));
        Assert.Equal("fort"u8.ToArray(), Item(Answer | 0x4000, 4)); // the bit of writes that QEMU had once
    }

    [Fact]
    public void The_DMA_register_tells_that_there_is_DMA()
    {
        Assert.Equal("QEMU CFG"u8.ToArray(), BitConverter.GetBytes(_device.In(4, 8)));
        Assert.Equal(" CFG"u8.ToArray(), BitConverter.GetBytes((uint)_device.In(8, 4)));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    public void DMA_reads_an_item_and_zeroes_behind_it(int width)
    {
        ulong target = _memory.Place("xxxxxxxxxxxxxxx"u8);

        Assert.Equal(0u, Request(((uint)Answer << 16) | Select | Read, 12, target, width));

        Assert.Equal("forty-two\0\0\0xxx"u8.ToArray(), _memory.Bytes(target, 15).ToArray());
    }

    [Fact]
    public void DMA_skips_and_goes_on_where_the_last_request_ended()
    {
        ulong target = _memory.Allocate(3);
        Request(((uint)Answer << 16) | Select, 0, 0);
        Request(Skip, 6, 0);

        Assert.Equal(0u, Request(Read, 3, target));

        Assert.Equal("two"u8.ToArray(), _memory.Bytes(target, 3).ToArray());
    }

    [Fact]
    public void Ports_go_on_where_DMA_ended()
    {
        Request(((uint)Answer << 16) | Select | Skip, 6, 0);
        Assert.Equal((byte)'t', _device.In(1));
    }

    [Fact]
    public void Nothing_can_be_written() => Assert.Equal(Error, Request(((uint)Answer << 16) | Select | Write, 1, _memory.Allocate(1)));

    [Theory]
    [InlineData(0x000f_ffff, 2)] // over the end of RAM
    [InlineData(0x0010_0000, 1)] // in a hole
    [InlineData(0x4000_0fff, 2)]
    [InlineData(ulong.MaxValue, 2)] // wraps
    [InlineData(0x1000, uint.MaxValue)]
    public void A_target_that_is_not_all_RAM_is_an_error_and_nothing_is_written(ulong target, uint length)
    {
        byte[] before = _memory.Bytes(0x1000, 0x1000).ToArray();
        ulong request = 0x8000;

        Assert.Equal(Error, Request(((uint)Answer << 16) | Select | Read, length, target, at: request));

        Assert.Equal(before, _memory.Bytes(0x1000, 0x1000).ToArray());
        Assert.Equal((byte)'f', _device.In(1)); // selected, but not read
    }

    [Theory]
    [InlineData(0x000f_fff8)]
    [InlineData(0x0020_0000)]
    [InlineData(0xffff_ffff_ffff_fff8)]
    public void A_request_that_is_not_in_RAM_goes_nowhere(ulong request)
    {
        _device.Out(4, BinaryPrimitives.ReverseEndianness(request), 8);
        Assert.Equal((byte)'Q', _device.In(1));
    }

    [Fact]
    public void A_request_may_read_over_itself()
    {
        ulong request = _memory.Allocate(16);
        Assert.Equal(0u, Request(((uint)Answer << 16) | Select | Read, 16, request, at: request));
        Assert.Equal("y-two"u8.ToArray(), _memory.Bytes(request + 4, 5).ToArray());
    }

    [Fact]
    public void Other_widths_and_ports_do_nothing()
    {
        Assert.Equal(0xffffu, _device.In(0, 2));
        Assert.Equal(0xffffu, _device.In(2, 2));
        Assert.Equal(0xffff_ffffu, _device.In(1, 4));
        Assert.Equal(ulong.MaxValue, _device.In(5, 8));
        _device.Out(1, 5);
        _device.Out(0, Answer);
        _device.Out(6, 0x1234, 2);

        Assert.Equal((byte)'Q', _device.In(1));
    }

    [Fact]
    public unsafe void A_driver_of_chance_stays_in_its_RAM_and_gets_an_answer()
    {
        int good = 0, bad = 0;
        for (int seed = 0; seed < 20_000; seed++)
        {
            Random random = new(seed);
            if (random.Next(3) == 0)
            {
                _device.Out((ulong)random.Next(FwCfg.Length), (ulong)random.NextInt64(), 1 << random.Next(4));
                _device.In((ulong)random.Next(FwCfg.Length), 1 << random.Next(4));
                continue;
            }

            ulong target = random.Next(4) switch
            {
                0 => (ulong)random.NextInt64(),
                1 => 0xf_ff00 + (ulong)random.Next(0x200),
                2 => 0x4000_0f00 + (ulong)random.Next(0x200),
                _ => (ulong)random.Next(0xf_0000),
            };
            uint length = random.Next(3) == 0 ? (uint)random.NextInt64() : (uint)random.Next(0x400);
            uint control = (uint)((random.Next(0x24) << 16) | random.Next(0x20));
            bool reads = (control & Read) != 0;
            uint answer = Request(control, length, target, at: 0xf_8000);
            bool isGood = reads ? _memory.Memory.TryResolve(target, length, out _) : (control & Write) == 0;
            if (!reads || !isGood || target + length <= 0xf_8000 || target >= 0xf_8010)
                Assert.Equal(isGood ? 0 : Error, answer);
            (good, bad) = isGood ? (good + 1, bad) : (good, bad + 1);
            Assert.True(_memory.IsGuardIntact());
        }

        Assert.InRange(good, 4000, 20_000);
        Assert.InRange(bad, 3000, 20_000);
    }

    [Fact]
    public void A_vCPUs_thread_allocates_nothing()
    {
        ulong target = _memory.Allocate(16);
        ulong request = _memory.Allocate(16);
        Fill(request, ((uint)Answer << 16) | Select | Read, 9, target);
        byte[] select = [(byte)Answer, 0];
        byte[] address = BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(request));
        byte[] data = new byte[1];

        Assert.Equal(0, Allocations.Steady(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            _device.Write(0, select);
            _device.Read(1, data);
            _device.Write(4, address);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    public void Dispose() => _memory.Dispose();

    private static (uint Size, int Number, string Name) Entry(ReadOnlySpan<byte> entry) =>
    (
        BinaryPrimitives.ReadUInt32BigEndian(entry),
        BinaryPrimitives.ReadUInt16BigEndian(entry[4..]),
        Encoding.ASCII.GetString(entry.Slice(8, 56)).TrimEnd('\0'));

    private byte[] Item(ushort key, int length)
    {
        _device.Out(0, key, 2);
        return [.. Enumerable.Range(0, length).Select(_ => _device.In(1))];
    }

    private void Fill(ulong at, uint control, uint length, ulong target)
    {
        Span<byte> request = _memory.Bytes(at, 16);
        BinaryPrimitives.WriteUInt32BigEndian(request, control);
        BinaryPrimitives.WriteUInt32BigEndian(request[4..], length);
        BinaryPrimitives.WriteUInt64BigEndian(request[8..], target);
    }

    /// <returns>What the device left in the control field.</returns>
    private uint Request(uint control, uint length, ulong target, int width = 8, ulong? at = null, FwCfg? device = null)
    {
        device ??= _device;
        ulong request = at ?? _memory.Allocate(16);
        Fill(request, control, length, target);
        if (width == 8)
        {
            device.Out(4, BinaryPrimitives.ReverseEndianness(request), 8);
        }
        else
        {
            device.Out(4, BinaryPrimitives.ReverseEndianness((uint)(request >> 32)), 4);
            device.Out(8, BinaryPrimitives.ReverseEndianness((uint)request), 4);
        }

        return BinaryPrimitives.ReadUInt32BigEndian(_memory.Bytes(request, 4));
    }
}
