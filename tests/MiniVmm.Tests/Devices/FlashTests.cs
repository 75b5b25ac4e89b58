using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

/// <summary>A flash as OVMF's variable driver uses it: a byte at a time, and block by block.</summary>
public sealed class FlashTests
{
    private const byte ReadArray = 0xff, Program = 0x10, Erase = 0x20, Confirm = 0xd0, ClearStatus = 0x50, ReadStatus = 0x70;
    private readonly Store _store = new(3 * Flash.BlockSize);
    private readonly Flash _flash;

    public FlashTests() => _flash = new Flash(_store);

    [Fact]
    public void OVMF_tells_it_from_RAM_and_ROM()
    {
        _store.Bytes[7] = 0x5a;
        _flash.Out(7, ClearStatus);
        Assert.Equal(0x5a, _flash.In(7)); // RAM would have the command
        _flash.Out(7, ReadStatus);
        Assert.Equal(0x00, _flash.In(7)); // a ROM would have the byte, RAM the command
        _flash.Out(7, ReadArray);
        Assert.Equal(0x5a, _flash.In(7));
    }

    [Fact]
    public void Bytes_are_programmed_and_shown_once_the_array_is_read_again()
    {
        _store.Bytes.Fill(0xff);
        foreach ((int at, byte value) in ((int, byte)[])[(100, 0x12), (101, 0x34)])
        {
            _flash.Out((ulong)at, Program);
            Assert.False(_store.IsShown);
            _flash.Out((ulong)at, value);
        }

        Assert.Equal(0x80, _flash.In(101));
        _flash.Out(101, ReadArray);

        Assert.True(_store.IsShown);
        Assert.Equal([0x12, 0x34], _store.Bytes.Slice(100, 2).ToArray());
        Assert.Equal([(100, 1), (101, 1)], _store.Kept);
        Assert.Equal([false, true], _store.Shows); // not for each byte
    }

    [Fact]
    public void Programming_sets_no_bits()
    {
        _store.Bytes[5] = 0x0f;
        _flash.Out(5, Program);
        _flash.Out(5, 0xfa);
        Assert.Equal(0x0a, _store.Bytes[5]);
    }

    [Fact]
    public void A_block_is_erased_as_a_whole_when_that_is_confirmed()
    {
        _store.Bytes.Fill(0x11);
        _flash.Out(Flash.BlockSize + 77, Erase);
        Assert.Empty(_store.Kept);
        _flash.Out(Flash.BlockSize + 77, Confirm);

        Assert.Equal([(Flash.BlockSize, Flash.BlockSize)], _store.Kept);
        Assert.Equal(0x11, _store.Bytes[Flash.BlockSize - 1]);
        Assert.Equal(-1, _store.Bytes.Slice(Flash.BlockSize, Flash.BlockSize).IndexOfAnyExcept((byte)0xff));
        Assert.Equal(0x11, _store.Bytes[2 * Flash.BlockSize]);
    }

    [Fact]
    public void An_erasure_that_is_not_confirmed_is_none()
    {
        _store.Bytes.Fill(0x11);
        _flash.Out(0, Erase);
        _flash.Out(0, ReadArray);
        Assert.Equal(0x11, _store.Bytes[0]);
        Assert.True(_store.IsShown);
    }

    [Theory]
    [InlineData(Program, 0x00, 0x90)]
    [InlineData(Erase, Confirm, 0xa0)]
    public void What_cannot_be_kept_is_an_error_in_the_status(byte command, byte second, byte status)
    {
        _store.Fails = true;
        _flash.Out(0, command);
        _flash.Out(0, second);
        Assert.Equal(status, _flash.In(0));
        _flash.Out(0, ClearStatus);
        _flash.Out(0, ReadStatus);
        Assert.Equal(0, _flash.In(0));
    }

    [Fact]
    public void A_driver_of_chance_leaves_it_readable()
    {
        byte[] commands = [ReadArray, Program, 0x40, Erase, Confirm, ClearStatus, ReadStatus, 0x90, 0x60, 0xe8, 0x98];
        for (int seed = 0; seed < 2000; seed++)
        {
            Random random = new(seed);
            for (int i = 0; i < 20; i++)
            {
                int width = 1 << random.Next(4);
                ulong at = (ulong)random.Next(_store.Bytes.Length - width + 1);
                if (random.Next(3) == 0)
                    _flash.In(at, width);
                else
                    _flash.Out(at, random.Next(2) == 0 ? commands[random.Next(commands.Length)] : (ulong)random.NextInt64(), width);
            }

            _flash.Out(0, ReadArray);
            _flash.Out(0, ReadArray);
            Assert.True(_store.IsShown);
            Assert.Equal(_store.Bytes[9], _flash.In(9));
            _store.Kept.Clear();
            _store.Shows.Clear();
        }
    }

    private sealed class Store(int length) : IFlashArray
    {
        private readonly byte[] _bytes = new byte[length];

        public Span<byte> Bytes => _bytes;

        public bool IsShown { get; private set; } = true;

        public bool Fails { get; set; }

        public List<bool> Shows { get; } = [];

        public List<(int Offset, int Length)> Kept { get; } = [];

        public void Show(bool isShown)
        {
            Assert.NotEqual(IsShown, isShown);
            IsShown = isShown;
            Shows.Add(isShown);
        }

        public bool Keep(int offset, int length)
        {
            Kept.Add((offset, length));
            return !Fails;
        }
    }
}
