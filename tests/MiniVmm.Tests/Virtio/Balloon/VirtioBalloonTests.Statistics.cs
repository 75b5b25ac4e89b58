using System.Buffers.Binary;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Tests.Virtio.Balloon;

/// <summary>The statistics queue.</summary>
public sealed partial class VirtioBalloonTests
{
    [Fact]
    public async Task Statistics_are_asked_for_by_giving_the_buffer_back()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        Answer((4, 1), (5, 2));
        Assert.Equal(0, _drivers[2].UsedIndex); // kept

        Task<BalloonStatistics?> asked = Task.Run(() => balloon.RequestStatistics(TimeSpan.FromMinutes(1)));
        Assert.Equal(1, _loop.Poll(60_000));
        Assert.True(_drivers[2].TryReap(out _, out uint written));
        Assert.Equal((0u, 1), (written, _interrupt.Used(2)));
        Answer((4, 100), (5, 200), (6, 150), (0, 7), (99, 5), (15, 3), (ushort.MaxValue, 1));
        BalloonStatistics? statistics = await asked;

        Assert.NotNull(statistics);
        Assert.Equal((100ul, 200ul, 150ul), (statistics.Free, statistics.Total, statistics.Available));
        Assert.Equal((7ul, 3ul), (statistics.SwapIn, statistics.DirectReclaims));
        Assert.Null(statistics.SwapOut);
        Assert.Null(statistics.OomKills);
        Assert.Equal(
            ["availableMemory=150", "directReclaims=3", "freeMemory=100", "swapIn=7", "totalMemory=200"],
            statistics.ByName().Select(entry => $"{entry.Key}={entry.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_answer_that_is_on_its_way_is_good_enough()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        Task<BalloonStatistics?> asked = Task.Run(() => balloon.RequestStatistics(TimeSpan.FromMinutes(1)));
        Assert.Equal(1, _loop.Poll(60_000));

        Answer((4, 100));

        Assert.Equal(100ul, (await asked)?.Free);
        Assert.Equal(0, _drivers[2].UsedIndex);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(19)]
    public async Task Of_an_answer_whose_end_is_missing_the_whole_entries_count(int length)
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        Task<BalloonStatistics?> asked = Task.Run(() => balloon.RequestStatistics(TimeSpan.FromMinutes(1)));
        Assert.Equal(1, _loop.Poll(60_000));
        ulong bytes = _memory.Place(Entries((4, 100), (5, 200)));
        if (length == 0)
            _drivers[2].Add(TestBuffer.Writable(bytes, 20));
        else
            _drivers[2].Add(TestBuffer.Readable(bytes, 3), TestBuffer.Readable(bytes + 3, length - 3));

        balloon.Notify(2);

        BalloonStatistics? statistics = await asked;
        Assert.NotNull(statistics);
        Assert.Equal(length >= 10 ? 100ul : null, statistics.Free);
        Assert.Null(statistics.Total);
    }

    [Fact]
    public void A_guest_that_is_silent_or_has_no_driver_has_no_statistics()
    {
        VirtioBalloon balloon = Make(new());
        Assert.Null(balloon.RequestStatistics(TimeSpan.FromMinutes(1)));

        Activate(DeflateOnOom);
        Assert.Null(balloon.RequestStatistics(TimeSpan.FromMinutes(1)));

        balloon.Reset();
        Activate(Statistics);
        Answer((4, 1));
        Assert.Null(balloon.RequestStatistics(TimeSpan.FromMilliseconds(1)));
    }

    [Fact]
    public async Task A_reset_ends_the_wait_for_statistics()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        Task<BalloonStatistics?> asked = Task.Run(() => balloon.RequestStatistics(TimeSpan.FromMinutes(10)));
        Assert.Equal(1, _loop.Poll(60_000));

        balloon.Reset();

        Assert.Null(await asked);
    }

    [Fact]
    public void Of_several_statistics_buffers_only_the_last_is_kept()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        for (int i = 0; i < 5; i++)
            Answer((4, 1));

        Assert.Equal(4, _drivers[2].UsedIndex);
        Assert.NotNull(balloon);
    }

    private void Answer(params (ushort Tag, ulong Value)[] entries)
    {
        byte[] bytes = Entries(entries);
        _drivers[2].Add(TestBuffer.Readable(_memory.Place(bytes), bytes.Length));
        _balloon!.Notify(2);
    }

    private static byte[] Entries(params (ushort Tag, ulong Value)[] entries)
    {
        byte[] bytes = new byte[10 * entries.Length];
        for (int i = 0; i < entries.Length; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(10 * i), entries[i].Tag);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((10 * i) + 2), entries[i].Value);
        }

        return bytes;
    }
}
