using System.Buffers.Binary;
using System.Text;
using MiniVmm.Host;
using MiniVmm.Ide;

namespace MiniVmm.Tests.Ide;

/// <summary>A hard disk as drivers use it, word by word at the data port.</summary>
public sealed class AtaDiskTests : IDisposable
{
    private readonly IdeMachine _ide = new();

    [Fact]
    public void After_a_reset_each_drive_shows_its_kind()
    {
        _ide.Control(4);
        Assert.Equal(IdeMachine.Busy, _ide.AlternateStatus);
        _ide.Control(0);
        Assert.Equal((IdeMachine.Ready, 1, 1, 1, 0, 0), (_ide.Status, _ide.Error, _ide.In(2), _ide.In(3), _ide.In(4), _ide.In(5)));
        _ide.Out(6, 0x10);
        Assert.Equal((0x00, 0x14, 0xeb), (_ide.Status, _ide.In(4), _ide.In(5)));
    }

    [Fact]
    public void A_disk_identifies_itself()
    {
        Assert.Equal(IdeMachine.Request, _ide.Command(0xec));
        Assert.True(_ide.Line.Asserted);
        byte[] identity = _ide.ReadBlocks(out int blocks);

        Assert.Equal((1, 512), (blocks, identity.Length));
        Assert.Equal(1000u, BinaryPrimitives.ReadUInt32LittleEndian(identity.AsSpan(120)));
        Assert.Equal(1000ul, BinaryPrimitives.ReadUInt64LittleEndian(identity.AsSpan(200)));
        Assert.Equal("MiniVmm disk", Text(identity.AsSpan(54, 40)));
        Assert.Equal("S1", Text(identity.AsSpan(20, 20)));
        Assert.Equal(IdeMachine.Ready, _ide.Status);
    }

    [Theory]
    [InlineData(0x20, 5, 3)]
    [InlineData(0x21, 999, 1)]
    [InlineData(0x20, 0, 200)] // more than the buffer
    [InlineData(0x20, 100, 0)] // 256
    public void Sectors_are_read_a_block_each(byte command, int first, int count)
    {
        _ide.Command(command, (ulong)first, count);
        byte[] data = _ide.ReadBlocks(out int blocks);

        int sectors = count == 0 ? 256 : count;
        Assert.Equal(sectors, blocks);
        Assert.Equal(_ide.Disk.Bytes.AsSpan(first * 512, sectors * 512).ToArray(), data);
    }

    [Fact]
    public void Several_sectors_are_a_block_once_that_is_set()
    {
        Assert.Equal(IdeMachine.Failed, _ide.Command(0xc4, 0, 4));
        Assert.Equal(IdeMachine.Ready, _ide.Command(0xc6, count: 16));
        _ide.Command(0xc4, 10, 40);
        Assert.Equal(_ide.Disk.Bytes.AsSpan(5120, 40 * 512).ToArray(), _ide.ReadBlocks(out int blocks));
        Assert.Equal(3, blocks);
        Assert.Equal(IdeMachine.Failed, _ide.Command(0xc6, count: 12));
        Assert.Equal(IdeMachine.Failed, _ide.Command(0xc6, count: 32));
    }

    [Theory]
    [InlineData(0x30, 7, 2)]
    [InlineData(0x30, 0, 200)]
    public void Sectors_are_written(byte command, int first, int count)
    {
        byte[] data = new byte[count * 512];
        new Random(3).NextBytes(data);

        Assert.Equal(IdeMachine.Request, _ide.Command(command, (ulong)first, count));
        Assert.False(_ide.Line.Asserted); // the first block comes without an interrupt
        _ide.WriteWords(data);

        Assert.Equal(IdeMachine.Ready, _ide.Status);
        Assert.Equal(data, _ide.Disk.Bytes.AsSpan(first * 512, data.Length).ToArray());
    }

    [Fact]
    public void Addresses_have_48_bits_too()
    {
        _ide.CommandExt(0x24, 0x123, 0x101);
        Assert.Equal(_ide.Disk.Bytes.AsSpan(0x123 * 512, 0x101 * 512).ToArray(), _ide.ReadBlocks(out _));
        Assert.Equal(IdeMachine.Failed, _ide.CommandExt(0x24, 0x1_0000_0001_23, 1));
        Assert.Equal(0x10, _ide.Error);
        Assert.Equal(IdeMachine.Ready, _ide.CommandExt(0x27, 0, 0));
        Assert.Equal(999, _ide.In(3) | (_ide.In(4) << 8));
    }

    [Theory]
    [InlineData(1ul, 2)]
    [InlineData(2000ul, 2)] // all that it has lie in them
    [InlineData(3024ul, 3)]
    [InlineData(1ul << 40, 16383)]
    public void A_disk_has_as_many_cylinders_as_in_QEMU(ulong sectors, int cylinders) =>
        Assert.Equal(new DiskGeometry(cylinders, 16, 63), DiskGeometry.Of(sectors));

    [Fact]
    public void Cylinders_and_heads_lead_to_the_same_sectors()
    {
        _ide.Command(0xec);
        _ide.ReadBlocks(out _);
        _ide.Out(6, 0xa0 | 3);
        _ide.Out(2, 1);
        _ide.Out(3, 5);
        _ide.Out(4, 0);
        _ide.Out(5, 0);
        _ide.Out(7, 0x20);
        Assert.Equal(_ide.Disk.Bytes.AsSpan(((3 * 63) + 4) * 512, 512).ToArray(), _ide.ReadBlocks(out _));
        _ide.Out(3, 0); // sectors of a track begin at 1
        _ide.Out(7, 0x20);
        Assert.Equal((IdeMachine.Failed, 0x10), (_ide.Status, _ide.Error));
    }

    [Theory]
    [InlineData(0x20, 1000, 1)]
    [InlineData(0x20, 999, 2)]
    [InlineData(0x30, 0x0fff_ffff, 1)]
    [InlineData(0xc8, 900, 101)]
    [InlineData(0x40, 900, 101)]
    public void Sectors_that_are_not_there_are_refused(byte command, int first, int count)
    {
        Assert.Equal(IdeMachine.Failed, _ide.Command(command, (ulong)first, count));
        Assert.Equal(0x10, _ide.Error);
        Assert.True(_ide.Line.Asserted);
    }

    [Theory]
    [InlineData(0xb0)] // SMART
    [InlineData(0xf1)] // security
    [InlineData(0xa0)] // of packet drives
    [InlineData(0x00)]
    public void What_a_disk_does_not_know_is_aborted(byte command)
    {
        Assert.Equal(IdeMachine.Failed, _ide.Command(command));
        Assert.Equal(4, _ide.Error);
    }

    [Theory]
    [InlineData(0x20, Errno.EIO, 0x40)]
    [InlineData(0xe7, Errno.EIO, 0x04)]
    public void An_error_of_the_host_is_one_of_the_drive(byte command, int errno, byte error)
    {
        _ide.Disk.Errno = errno;
        Assert.Equal(IdeMachine.Failed, _ide.Command(command));
        Assert.Equal(error, _ide.Error);
    }

    [Fact]
    public void A_disk_that_is_only_read_refuses_to_be_written()
    {
        using IdeMachine ide = new(isReadOnly: true);
        Assert.Equal(IdeMachine.Failed, ide.Command(0x30));
        Assert.Equal(IdeMachine.Failed, ide.Command(0xca));
    }

    [Fact]
    public void A_vCPU_finds_the_drive_busy_while_the_thread_reads()
    {
        _ide.IsHeld = true;
        Assert.Equal(IdeMachine.Busy, _ide.Command(0x20));
        Assert.False(_ide.Line.Asserted);
        _ide.Out(7, 0xec); // nothing is taken meanwhile
        _ide.Out(3, 77);
        Assert.Equal(0, _ide.Word());
        _ide.Serve();

        Assert.True(_ide.Line.Asserted);
        Assert.Equal(_ide.Disk.Bytes[..512], _ide.ReadBlocks(out _));
    }

    [Fact]
    public void A_reset_while_the_thread_reads_takes_effect_when_it_is_done()
    {
        _ide.IsHeld = true;
        _ide.Command(0x20);
        _ide.Disk.Called = () =>
        {
            _ide.Disk.Called = null;
            _ide.Control(4);
            _ide.Control(0);
            Assert.Equal(IdeMachine.Busy, _ide.AlternateStatus);
        };
        _ide.Serve();

        Assert.Equal((IdeMachine.Ready, 1), (_ide.Status, _ide.Error));
        Assert.DoesNotContain(true, _ide.Line.Calls);
        Assert.Equal(0, _ide.Word());
    }

    [Fact]
    public void An_interrupt_is_held_back_and_taken_back_as_the_guest_says()
    {
        _ide.Control(2);
        _ide.Command(0xe7);
        Assert.DoesNotContain(true, _ide.Line.Calls);
        _ide.Control(0);
        Assert.True(_ide.Line.Asserted);
        Assert.Equal(IdeMachine.Ready, _ide.AlternateStatus);
        Assert.True(_ide.Line.Asserted);
        Assert.Equal(IdeMachine.Ready, _ide.Status);
        Assert.False(_ide.Line.Asserted);
    }

    [Fact]
    public void Where_no_drive_is_registers_are_0_and_nothing_happens()
    {
        MiniVmm.Ide.IdeChannel empty = new(null, null, new Devices.RecordingLevel(), _ide.Memory.Memory, () => throw new InvalidOperationException());
        byte[] data = [0x55];
        empty.CommandPorts.Write(2, data);
        empty.CommandPorts.Write(7, [0xec]);
        empty.CommandPorts.Read(2, data);
        Assert.Equal([0], data);
        empty.CommandPorts.Read(7, data);
        Assert.Equal([0], data);
    }

    [Fact]
    public void A_vCPUs_thread_allocates_nothing()
    {
        byte[] word = new byte[2];
        MiniVmm.Devices.IBusDevice ports = _ide.Channel.CommandPorts;
        byte[] read = [0x20];
        byte[] one = [1];
        Assert.Equal(0, Allocations.Steady(() =>
        {
            _ide.Line.Calls.Clear();
            long before = GC.GetAllocatedBytesForCurrentThread();
            ports.Write(2, one);
            ports.Write(7, read);
            for (int i = 0; i < 256; i++)
                ports.Read(0, word);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            return allocated;
        }));
    }

    public void Dispose() => _ide.Dispose();

    private static string Text(ReadOnlySpan<byte> words)
    {
        byte[] letters = words.ToArray();
        for (int i = 0; i < letters.Length; i += 2)
            (letters[i], letters[i + 1]) = (letters[i + 1], letters[i]);
        return Encoding.ASCII.GetString(letters).TrimEnd(' ');
    }
}
