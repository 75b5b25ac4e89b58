using MiniVmm.Devices;
using MiniVmm.Floppy;
using MiniVmm.Host;
using MiniVmm.Tests.Devices;
using MiniVmm.Tests.Storage;
using MiniVmm.Tests.Virtio;

namespace MiniVmm.Tests.Floppy;

/// <summary>The floppy controller with its DMA channel, as drivers use them.</summary>
public sealed class FloppyTests : IDisposable
{
    private const int Sector = 512;
    private readonly TestMemory _memory = new();
    private readonly MemoryImage _image = new(2880 * Sector);
    private readonly RecordingLevel _line = new();
    private readonly FloppyDrive _drive;
    private readonly IBusDevice _dma;
    private readonly IBusDevice _pages;
    private readonly IBusDevice _ports;
    private readonly FloppyController _controller;
    private bool _isHeld;

    public FloppyTests()
    {
        new Random(1).NextBytes(_image.Bytes);
        _drive = new FloppyDrive(_image, FloppyFormat.Of(_image.Length)!.Value);
        DmaController dma = new(_memory.Memory);
        (_dma, _pages) = (dma.Registers, dma.Pages);
        _controller = new FloppyController(_drive, null, dma, _line, () =>
        {
            if (!_isHeld)
                _controller!.Serve();
        });
        _ports = _controller.Ports;
    }

    [Fact]
    public void After_a_reset_each_drive_is_to_be_sensed()
    {
        Out(2, 0);
        Assert.Equal(0, Status);
        Out(2, 0x0c);
        Assert.True(_line.Asserted);
        for (int drive = 0; drive < 4; drive++)
            Assert.Equal([(byte)(0xc0 | drive), 0], Run([8]));
        Assert.False(_line.Asserted);
        Assert.Equal([0x80], Run([8]));
    }

    [Fact]
    public void It_is_an_82077AA() => Assert.Equal([0x90], Run([0x10]));

    [Fact]
    public void A_seek_interrupts_and_tells_the_cylinder()
    {
        Assert.Empty(Run([0x0f, 0, 5]));
        Assert.True(_line.Asserted);
        Assert.Equal([0x20, 5], Run([8]));
        Assert.Empty(Run([0x07, 0]));
        Assert.Equal([0x20, 0], Run([8]));
    }

    [Theory]
    [InlineData(0, 0, 1, 1, 0)]
    [InlineData(3, 1, 17, 2, ((3 * 2) + 1) * 18 + 16)]
    [InlineData(79, 0, 1, 36, 79 * 2 * 18)] // both heads
    public void Sectors_are_read_where_the_channel_leads(int cylinder, int head, int sector, int count, int first)
    {
        Program(0x46, 0x1_2345, count * Sector);

        Assert.Equal(0, Read(cylinder, head, sector)[0] & 0xc0);

        Assert.Equal(_image.Bytes.AsSpan(first * Sector, count * Sector).ToArray(), _memory.Bytes(0x1_2345, count * Sector).ToArray());
        Assert.Equal(4, _dma.In(8)); // terminal count
    }

    [Fact]
    public void Sectors_are_written()
    {
        byte[] data = new byte[2 * Sector];
        new Random(2).NextBytes(data);
        data.CopyTo(_memory.Bytes(0x2_0000, data.Length));
        Program(0x4a, 0x2_0000, data.Length);

        Assert.Equal(0, Run([0xc5, 0, 1, 0, 3, 2, 18, 27, 0xff])[0]);

        Assert.Equal(data, _image.Bytes.AsSpan((36 + 2) * Sector, data.Length).ToArray());
    }

    [Fact]
    public void Where_the_channel_wants_more_than_the_cylinder_has_it_gets_that_and_an_error()
    {
        Program(0x46, 0x2_0000, 3 * Sector);
        byte[] result = Run([0xe6, 4, 2, 1, 17, 2, 18, 27, 0xff]); // the last two of head 1
        Assert.Equal((0x44, 0x80), (result[0], result[1]));
        Assert.Equal(_image.Bytes.AsSpan(((5 * 18) + 16) * Sector, 1024).ToArray(), _memory.Bytes(0x2_0000, 1024).ToArray());
    }

    [Theory]
    [InlineData(80, 0, 1, 4)] // no such cylinder
    [InlineData(0, 0, 19, 4)]
    [InlineData(0, 0, 0, 4)]
    public void A_sector_that_is_not_there_is_not_found(int cylinder, int head, int sector, byte status)
    {
        Program(0x46, 0x2_0000, Sector);
        byte[] result = Read(cylinder, head, sector);
        Assert.Equal((0x40, status), (result[0] & 0xc0, result[1]));
    }

    [Theory]
    [InlineData(0x46, 0xf_ff00, 0xf)] // over the end of RAM: the page's end wraps first
    [InlineData(0x46, 0x20_0000, 0x20)] // not RAM
    [InlineData(0x4a, 0x2_0000, 0x02)] // the other way
    [InlineData(0x66, 0x2_0000, 0x02)] // downwards
    public void A_channel_that_leads_elsewhere_is_an_error_or_wraps_in_its_page(byte mode, int address, byte page)
    {
        Program(mode, address, Sector);
        Assert.Equal(page, _pages.In(0));
        byte status = Read(0, 0, 1)[0];
        if (address == 0xf_ff00)
            Assert.Equal(_image.Bytes.AsSpan(256, 256).ToArray(), _memory.Bytes(0xf_0000, 256).ToArray());
        else
            Assert.Equal(0x40, status & 0xc0);
    }

    [Fact]
    public void An_error_of_the_host_and_a_disk_that_is_only_read_are_errors()
    {
        Program(0x46, 0x2_0000, Sector);
        _image.Errno = Errno.EIO;
        Assert.Equal(0x20, Read(0, 0, 1)[1]);
    }

    [Fact]
    public void Nothing_is_in_the_second_drive() => Assert.Equal(0x49, Run([0xe6, 1, 0, 0, 1, 2, 18, 27, 0xff])[0]);

    [Theory]
    [InlineData(new byte[] { 0x4d, 0, 2, 18, 0x1b, 0xf6 })] // a track is formatted
    [InlineData(new byte[] { 0xe6, 0, 0, 0, 1, 3, 18, 27, 0xff })] // sectors of 1024 bytes
    public void What_it_cannot_ends_in_an_error(byte[] command) => Assert.Equal(0x40, Run(command)[0] & 0xc0);

    [Fact]
    public void A_vCPU_finds_it_busy_while_the_thread_reads()
    {
        _isHeld = true;
        Program(0x46, 0x2_0000, Sector);
        foreach (byte value in (byte[])[0xe6, 0, 0, 0, 1, 2, 1, 27, 0xff])
            Out(5, value);
        Assert.Equal(0x10, Status);
        Out(5, 8);
        Assert.Equal(0, _ports.In(5));
        Out(2, 0); // a reset meanwhile
        Out(2, 0x0c);
        Assert.Equal([0xc0, 0], Run([8]));
        _controller.Serve();
        Assert.Equal(0x80, Status);
    }

    [Fact]
    public void A_reset_while_the_thread_reads_waits_for_it()
    {
        Program(0x46, 0x2_0000, Sector);
        _image.Called = () =>
        {
            Out(2, 0);
            Out(2, 0x0c);
            Assert.Equal(0, Status);
        };
        foreach (byte value in (byte[])[0xe6, 0, 0, 0, 1, 2, 1, 27, 0xff])
            Out(5, value);
        Assert.Equal(0x80, Status);
        Assert.Equal([0xc0, 0], Run([8]));
    }

    [Theory]
    [InlineData(1474560, 4, 80, 18)]
    [InlineData(737280, 3, 80, 9)]
    [InlineData(368640, 1, 40, 9)]
    [InlineData(2949120, 5, 80, 36)]
    [InlineData(512, 4, 80, 18)]
    [InlineData(1474561, 5, 80, 36)]
    public void An_image_is_a_floppy_by_its_length(ulong length, byte type, int cylinders, int sectors) =>
        Assert.Equal(new FloppyFormat(cylinders, sectors, type), FloppyFormat.Of(length));

    [Fact]
    public void What_is_larger_is_none() => Assert.Null(FloppyFormat.Of(2949121));

    [Fact]
    public void A_short_image_reads_as_zeroes_behind_its_end_and_cannot_be_written_there()
    {
        using FloppyDrive drive = new(new MemoryImage(3 * Sector), FloppyFormat.Of(3 * Sector)!.Value);
        drive.Buffer.Fill(0xaa);
        Assert.Equal(0, drive.Read(2, 2));
        Assert.Equal(new byte[2 * Sector], drive.Buffer[..(2 * Sector)].ToArray());
        Assert.Equal(0, drive.Read(2000, 1));
        Assert.Equal(Errno.ENOSPC, drive.Write(3, 1));
        Assert.Equal(0, drive.Write(2, 1));
    }

    [Fact]
    public void A_driver_of_chance_stays_inside_and_a_reset_helps()
    {
        byte[] commands = [0xe6, 0xc5, 0x46, 0x66, 0x0f, 0x07, 0x08, 0x4a, 0x03, 0x4d, 0x13, 0x94];
        int transfers = 0;
        _image.Called = () => transfers++;
        for (int seed = 0; seed < 3000; seed++)
        {
            Random random = new(seed);
            _isHeld = random.Next(8) == 0;
            if (random.Next(2) == 0)
                Program(random.Next(3) == 0 ? (byte)random.Next(256) : (byte)0x46, random.Next(0x100_0000), 1 + random.Next(0x1_0000));
            for (int i = 0; i < 40; i++)
            {
                byte value = (byte)random.Next(random.Next(2) == 0 ? 4 : 256);
                switch (random.Next(5))
                {
                    case 0:
                        _ports.In((ulong)random.Next(FloppyController.Length));
                        break;
                    case 1:
                        Out(random.Next(FloppyController.Length), value);
                        break;
                    case 2:
                        _dma.Out((ulong)random.Next(16), value);
                        _dma.In((ulong)random.Next(16));
                        break;
                    case 3:
                        foreach (byte each in (byte[])
                            [commands[random.Next(3)], (byte)(random.Next(3) * 4), (byte)random.Next(82), (byte)random.Next(3), (byte)random.Next(1, 20), 2, (byte)random.Next(15, 19), 27, 0xff])
                            Out(5, each);
                        break;
                    default:
                        Out(5, i % 9 == 0 ? commands[random.Next(commands.Length)] : (byte)random.Next(3));
                        break;
                }
            }

            _controller.Serve();
            _isHeld = false;
            Out(2, 0);
            Out(2, 0x0c);
            Assert.Equal([0xc0], Run([8])[..1]);
            Assert.Equal([0x90], Run([0x10]));
        }

        Assert.InRange(transfers, 50, int.MaxValue);
        Assert.True(_memory.IsGuardIntact());
    }

    [Fact]
    public void A_vCPUs_thread_allocates_nothing()
    {
        byte[] command = [0xe6, 0, 0, 0, 1, 2, 1, 27, 0xff];
        byte[] one = new byte[1];
        Assert.Equal(0, Allocations.Steady(() =>
        {
            _line.Calls.Clear();
            long before = GC.GetAllocatedBytesForCurrentThread();
            foreach (byte value in command)
            {
                one[0] = value;
                _ports.Write(5, one);
            }

            for (int i = 0; i < 7; i++)
                _ports.Read(5, one);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    public void Dispose()
    {
        _drive.Dispose();
        _memory.Dispose();
    }

    private byte Status => _ports.In(4);

    private void Out(int port, byte value) => _ports.Out((ulong)port, value);

    private byte[] Read(int cylinder, int head, int sector) =>
        Run([0xe6, (byte)(head << 2), (byte)cylinder, (byte)head, (byte)sector, 2, 18, 27, 0xff]);

    /// <summary>Gives a command and takes its result.</summary>
    private byte[] Run(byte[] command)
    {
        foreach (byte value in command)
        {
            Assert.Equal(0x80, Status & 0xc0);
            Out(5, value);
        }

        List<byte> result = [];
        while ((Status & 0xc0) == 0xc0)
            result.Add(_ports.In(5));
        return [.. result];
    }

    private void Program(byte mode, int address, int bytes)
    {
        _dma.Out(10, 6);
        _dma.Out(12, 0);
        _dma.Out(11, (ulong)(mode & ~3) | 2);
        _dma.Out(4, (byte)address);
        _dma.Out(4, (byte)(address >> 8));
        _dma.Out(5, (byte)(bytes - 1));
        _dma.Out(5, (byte)((bytes - 1) >> 8));
        _pages.Out(0, (byte)(address >> 16));
        _dma.Out(10, 2);
    }
}
