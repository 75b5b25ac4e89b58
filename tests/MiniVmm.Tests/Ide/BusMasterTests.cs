namespace MiniVmm.Tests.Ide;

/// <summary>The bus master's tables, good and bad.</summary>
public sealed class BusMasterTests : IDisposable
{
    private const byte Active = 1, Failure = 2, Interrupt = 4;
    private readonly IdeMachine _ide = new();

    [Fact]
    public void A_disk_is_read_into_pieces_of_RAM()
    {
        ulong first = _ide.Memory.Allocate(1000);
        ulong second = _ide.Memory.Allocate(536);
        Assert.Equal(IdeMachine.Busy, _ide.Command(0xc8, 4, 3));
        _ide.StartDma(toMemory: true, (first, 1000), (second, 536));

        Assert.Equal(Interrupt, BusMasterStatus);
        Assert.True(_ide.Line.Asserted);
        Assert.Equal(IdeMachine.Ready, _ide.Status);
        Assert.Equal(
            _ide.Disk.Bytes.AsSpan(4 * 512, 1536).ToArray(),
            (byte[])[.. _ide.Memory.Bytes(first, 1000), .. _ide.Memory.Bytes(second, 536)]);
    }

    [Fact]
    public void A_disk_is_written_from_RAM_though_the_bus_master_was_started_first()
    {
        byte[] data = new byte[300 * 512];
        new Random(4).NextBytes(data);
        ulong at = _ide.Memory.Place(data);
        _ide.StartDma(toMemory: false, (at, 0), (at + 0x1_0000, 0), (at + 0x2_0000, data.Length - 0x2_0000));
        Assert.Equal(Active, BusMasterStatus);
        _ide.CommandExt(0x35, 100, 300);

        Assert.Equal(Interrupt, BusMasterStatus);
        Assert.Equal(data, _ide.Disk.Bytes.AsSpan(100 * 512, data.Length).ToArray());
    }

    [Fact]
    public void A_CD_is_read_likewise_and_so_are_its_answers()
    {
        ulong at = _ide.Memory.Allocate(40 * 2048);
        _ide.Packet([0x28, 0, 0, 0, 0, 10, 0, 0, 40], isDma: true);
        _ide.StartDma(toMemory: true, (at, 0), (at + 0x1_0000, 0x4000));
        Assert.Equal(_ide.Cd.Bytes.AsSpan(10 * 2048, 40 * 2048).ToArray(), _ide.Memory.Bytes(at, 40 * 2048).ToArray());
        Assert.Equal((IdeMachine.Ready, 3), (_ide.Status, _ide.In(2)));

        _ide.Channel.WriteBusMaster(0, 0);
        _ide.Packet([0x25], isDma: true);
        _ide.StartDma(toMemory: true, (at, 8));
        Assert.Equal([0, 0, 0, 99, 0, 0, 8, 0], _ide.Memory.Bytes(at, 8).ToArray());
    }

    [Theory]
    [InlineData(0x000f_ffff_f000, 512)] // 0xfffff000: a hole
    [InlineData(0xf_ff00, 512)] // over the end of RAM
    [InlineData(0x4000_1e00, 1024)]
    [InlineData(0x1000, 100)] // too short
    public void A_table_that_leads_elsewhere_ends_the_command_with_an_error(ulong address, int bytes)
    {
        _ide.Command(0xc8, 0, 2);
        _ide.StartDma(toMemory: true, (address, bytes));

        Assert.Equal(Failure | Interrupt, BusMasterStatus);
        Assert.Equal((IdeMachine.Failed, 4), (_ide.Status, _ide.Error));
    }

    [Theory]
    [InlineData(0xffff_fff8)]
    [InlineData(0x000f_fffc)]
    [InlineData(0x0020_0000)]
    public void A_table_that_is_not_in_RAM_likewise(uint table)
    {
        _ide.SetTable(table);
        _ide.Command(0xca, 0, 1);
        _ide.Channel.WriteBusMaster(0, 1);
        Assert.Equal(Failure | Interrupt, BusMasterStatus);
    }

    [Fact]
    public void A_table_without_an_end_ends_at_its_64_KiB()
    {
        _ide.Memory.Bytes(0xe_0000, 0x1_0000).Clear(); // 64 KiB at address 0, again and again
        _ide.SetTable(0xe_fff0);
        _ide.Command(0xc8, 0, 0);
        _ide.Channel.WriteBusMaster(0, 9);
        Assert.Equal(Interrupt, BusMasterStatus); // two entries are enough for 256 sectors
        _ide.Channel.WriteBusMaster(0, 0);
        _ide.CommandExt(0x25, 0, 257);
        _ide.Channel.WriteBusMaster(0, 9);
        Assert.Equal(Failure | Interrupt, BusMasterStatus);
    }

    [Fact]
    public void The_wrong_direction_is_an_error()
    {
        _ide.Command(0xc8, 0, 1);
        _ide.StartDma(toMemory: false, (_ide.Memory.Allocate(512), 512));
        Assert.Equal(Failure | Interrupt, BusMasterStatus);
    }

    [Fact]
    public void A_bus_master_that_is_stopped_writes_no_more()
    {
        ulong at = _ide.Memory.Allocate(0x2_0000);
        _ide.Command(0xc8, 0, 0);
        _ide.Disk.Called = () =>
        {
            _ide.Disk.Called = null;
            _ide.Channel.WriteBusMaster(0, 0);
        };
        _ide.StartDma(toMemory: true, (at, 0), (at + 0x1_0000, 0));

        Assert.Equal(IdeMachine.Failed, _ide.Status);
        Assert.Equal(new byte[0x1_0000], _ide.Memory.Bytes(at + 0x1_0000, 0x1_0000).ToArray());
    }

    [Fact]
    public void Status_bits_are_taken_back_by_ones()
    {
        _ide.Command(0xe7);
        Assert.Equal(Interrupt, BusMasterStatus);
        _ide.Channel.WriteBusMaster(2, 0x60);
        Assert.Equal(Interrupt | 0x60, BusMasterStatus);
        _ide.Channel.WriteBusMaster(2, 0x60 | Interrupt);
        Assert.Equal(0x60, BusMasterStatus);
    }

    public void Dispose() => _ide.Dispose();

    private byte BusMasterStatus => _ide.Channel.ReadBusMaster(2);
}
