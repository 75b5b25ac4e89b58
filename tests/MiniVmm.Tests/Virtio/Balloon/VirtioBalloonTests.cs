using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Tests.Virtio.Balloon;

public sealed partial class VirtioBalloonTests : IDisposable
{
    private const ulong MiB = 1 << 20;
    private const int Inflate = 0;
    private const int Deflate = 1;
    private const ulong MustTellHost = 1 << 0;
    private const ulong Statistics = 1 << 1;
    private const ulong DeflateOnOom = 1 << 2;
    private const ulong PagePoison = 1 << 4;
    private const ulong Reporting = 1 << 5;
    private readonly TestMemory _memory = new();
    private readonly FakeInterrupt _interrupt = new();
    private readonly FakeLoop _loop = new();
    private readonly RecordingRelease _host = new();
    private readonly List<string> _warnings = [];
    private readonly TestDriver[] _drivers;
    private VirtioBalloon? _balloon;

    public VirtioBalloonTests() => _drivers = [.. Enumerable.Range(0, 5).Select(_ => new TestDriver(_memory, 64))];

    public void Dispose()
    {
        _balloon?.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void It_offers_what_the_user_wants()
    {
        Assert.Equal(Statistics | DeflateOnOom | Reporting | PagePoison, Make(new()).Features);
        Assert.Equal(Statistics | Reporting | PagePoison, Make(new(DeflateOnOom: false)).Features);
        Assert.Equal(Statistics | DeflateOnOom, Make(new(Reporting: false)).Features);
        Assert.Equal(5u, _balloon!.DeviceType);
        Assert.Empty(_warnings);
    }

    [Fact]
    public void Over_huge_pages_it_wants_to_be_told_and_says_so_to_the_user()
    {
        VirtioBalloon balloon = Make(new(), new RecordingRelease(2 * MiB));

        Assert.Equal(MustTellHost, balloon.Features & MustTellHost);
        Assert.Contains("huge pages of 2 MiB", Assert.Single(_warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_the_guest_has_is_refused()
    {
        BadInputException error = Assert.Throws<BadInputException>(() => Make(new(MiB)));

        Assert.Contains("the guest has 1 MiB in all", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_target_is_what_the_driver_reads_and_is_told_of()
    {
        VirtioBalloon balloon = Start(new(64 * 1024), Statistics);
        Assert.Equal((64ul * 1024, 16u, 0), (balloon.Target, Configuration(0), _interrupt.Changes));

        balloon.SetTarget((512 * 1024) + 4095);

        Assert.Equal((512ul * 1024, 128u, 1), (balloon.Target, Configuration(0), _interrupt.Changes));
        balloon.SetTarget(ulong.MaxValue);
        Assert.Equal(MiB, balloon.Target);
    }

    [Fact]
    public void Before_there_is_a_driver_nobody_is_told()
    {
        VirtioBalloon balloon = Make(new());

        balloon.SetTarget(8192);

        Assert.Equal((2u, 0), (Configuration(0), _interrupt.Changes));
    }

    [Fact]
    public void The_driver_says_how_much_it_does_without_and_changes_nothing_else()
    {
        VirtioBalloon balloon = Start(new(64 * 1024), Statistics);

        balloon.WriteConfiguration(4, [3, 0, 0, 0]);
        Assert.Equal(3ul * 4096, balloon.Actual);
        balloon.WriteConfiguration(5, [1]);
        Assert.Equal(0x103ul * 4096, balloon.Actual);
        balloon.WriteConfiguration(0, [9, 9, 9, 9]);
        balloon.WriteConfiguration(8, [9, 9, 9, 9]);
        balloon.WriteConfiguration(15, [0, 9, 9, 9, 9, 9, 9, 9]);
        balloon.WriteConfiguration(uint.MaxValue, [9]);

        Assert.Equal((16u, 0x103u, 0u, 0u), (Configuration(0), Configuration(4), Configuration(8), Configuration(16)));
        byte[] odd = [7, 7, 7, 7, 7, 7, 7, 7];
        balloon.ReadConfiguration(2, odd);
        Assert.Equal([0, 0, 3, 1, 0, 0, 0, 0], odd);
    }

    [Fact]
    public void Inflated_pages_go_to_the_host_in_runs()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        Put(Inflate, 20, 19, 18, 40, 41);
        Put(Inflate, 256, uint.MaxValue, 0x10_0000); // none of them RAM

        balloon.Notify(Inflate);

        Assert.Equal([(Host(18), 3 * 4096ul), (Host(40), 2 * 4096ul)], _host.Ranges);
        Assert.Equal(2, _drivers[Inflate].UsedIndex);
        Assert.Equal(1, _interrupt.Used(Inflate));
        Assert.Equal(5ul * 4096, balloon.Released);
    }

    [Fact]
    public void A_list_in_odd_pieces_is_read_as_one_and_a_rest_is_left()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        ulong list = Place(20, 30, 50);
        _drivers[Inflate].Add(
            TestBuffer.Readable(list, 1), TestBuffer.Readable(list + 1, 6), TestBuffer.Readable(list + 7, 3));

        balloon.Notify(Inflate);

        Assert.Equal([(Host(20), 4096ul), (Host(30), 4096ul)], _host.Ranges);
    }

    [Fact]
    public void Deflated_pages_are_the_guests_again_without_a_deed()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        Put(Deflate, 20, 19);

        balloon.Notify(Deflate);

        Assert.Empty(_host.Ranges);
        Assert.Equal((1, 1), (_drivers[Deflate].UsedIndex, _interrupt.Used(Deflate)));
    }

    [Fact]
    public void On_huge_pages_nothing_is_gathered_from_a_driver_that_does_not_tell()
    {
        RecordingRelease huge = new(8 * 4096);
        VirtioBalloon balloon = Make(new(), huge);
        Activate(Statistics);
        Put(Inflate, 8, 9, 10, 11, 12, 13, 14, 15);
        balloon.Notify(Inflate);
        Assert.Empty(huge.Ranges);

        balloon.Reset();
        Activate(Statistics | MustTellHost);
        Put(Inflate, 8, 9, 10, 11, 12, 13, 14, 15);
        balloon.Notify(Inflate);

        Assert.Equal((Host(8), 8 * 4096ul), Assert.Single(huge.Ranges));
    }

    [Theory]
    [InlineData(Statistics | Reporting, 0b01111, 3)]
    [InlineData(Reporting, 0b00111, 2)]
    [InlineData(Statistics | Reporting, 0b10111, 4)]
    public void Reports_come_in_the_queue_that_the_driver_thinks_they_do(ulong features, int inUse, int queue)
    {
        VirtioBalloon balloon = Make(new());
        Activate(features, inUse);
        ulong free = _memory.Allocate(64 * 1024, 4096);
        _drivers[queue].Add(TestBuffer.Writable(free, 64 * 1024));

        balloon.Notify(queue);

        (nint start, ulong length) = Assert.Single(_host.Ranges);
        Assert.True(start >= Host(free / 4096) && length is >= 60 * 1024 and <= 64 * 1024);
        Assert.Equal((1, 1), (_drivers[queue].UsedIndex, _interrupt.Used(queue)));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0xaa, 0)]
    public void Reported_pages_with_a_pattern_in_them_stay(byte pattern, int released)
    {
        VirtioBalloon balloon = Start(new(), Statistics | Reporting | PagePoison);
        balloon.WriteConfiguration(12, [pattern, pattern, pattern, pattern]);
        _drivers[3].Add(TestBuffer.Writable(_memory.Allocate(64 * 1024), 64 * 1024));

        balloon.Notify(3);

        Assert.Equal((released, 1), (_host.Ranges.Count, _drivers[3].UsedIndex));
    }

    [Fact]
    public void A_report_of_pieces_to_read_releases_nothing()
    {
        VirtioBalloon balloon = Start(new(), Statistics | Reporting);
        _drivers[3].Add(TestBuffer.Readable(_memory.Allocate(64 * 1024), 64 * 1024));

        balloon.Notify(3);

        Assert.Empty(_host.Ranges);
        Assert.Equal(1, _drivers[3].UsedIndex);
    }

    [Fact]
    public void Without_the_feature_a_queue_behind_the_others_is_not_looked_at()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        _drivers[3].Add(TestBuffer.Writable(_memory.Allocate(64 * 1024), 64 * 1024));

        for (int queue = 3; queue < 5; queue++)
            balloon.Notify(queue);

        Assert.Empty(_host.Ranges);
        Assert.Equal(0, _drivers[3].UsedIndex);
    }

    [Fact]
    public void A_host_that_takes_nothing_back_is_told_of_once()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        _host.Error = 95;
        for (int i = 0; i < 3; i++)
        {
            Put(Inflate, 20);
            balloon.Notify(Inflate);
        }

        Assert.Contains("EOPNOTSUPP", Assert.Single(_warnings), StringComparison.Ordinal);
        Assert.Equal(3, _drivers[Inflate].UsedIndex);
    }

    [Fact]
    public void A_long_batch_leaves_the_thread_a_pause_and_goes_on_after_it()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        for (int i = 0; i < 40; i++)
            Put(Inflate, 20);

        balloon.Notify(Inflate);
        Assert.Equal(32, _drivers[Inflate].UsedIndex);

        Assert.Equal(1, _loop.Elapse());
        Assert.Equal((40, 0), (_drivers[Inflate].UsedIndex, _loop.Elapse()));
    }

    [Fact]
    public void A_list_outside_of_ram_asks_for_a_reset()
    {
        VirtioBalloon balloon = Start(new(), Statistics);
        _drivers[Inflate].Add(TestBuffer.Readable(MiB, 4));

        balloon.Notify(Inflate);

        Assert.Equal((1, 0), (_interrupt.Resets, _drivers[Inflate].UsedIndex));
    }

    [Fact]
    public void A_reset_ends_it_all_and_a_late_doorbell_does_nothing()
    {
        VirtioBalloon balloon = Start(new(64 * 1024), Statistics | Reporting);
        balloon.WriteConfiguration(4, [3, 0, 0, 0]);
        Put(Inflate, 20);

        balloon.Reset();
        for (int queue = 0; queue < 5; queue++)
            balloon.Notify(queue);
        balloon.SetTarget(8192);

        Assert.Empty(_host.Ranges);
        Assert.Equal((0ul, 8192ul, 0), (balloon.Actual, balloon.Target, _interrupt.Changes));
    }

    [Fact]
    public void A_request_allocates_nothing()
    {
        VirtioBalloon balloon = Make(new(), new SilentRelease());
        Activate(Statistics | Reporting);
        ulong list = Place(20, 19, 18, 40, 41);
        ulong free = _memory.Allocate(64 * 1024);
        ulong entries = _memory.Place(Entries((4, 100)));
        long Allocated()
        {
            _drivers[Inflate].Add(TestBuffer.Readable(list, 20));
            _drivers[Deflate].Add(TestBuffer.Readable(list, 20));
            _drivers[2].Add(TestBuffer.Readable(entries, 10));
            _drivers[3].Add(TestBuffer.Writable(free, 64 * 1024));
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 4; i++)
                balloon.Notify(i);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            foreach (TestDriver driver in _drivers)
                driver.TryReap(out _, out _);
            return allocated;
        }

        Allocated();
        Assert.Equal(0, Enumerable.Range(0, 50).Sum(_ => Allocated()));
    }

    private VirtioBalloon Make(BalloonOptions options, IPageRelease? host = null)
    {
        _balloon?.Dispose();
        _balloon = new VirtioBalloon(options, _memory.Memory, host ?? _host, line => _warnings.Add(line.OnCommandLine()));
        _balloon.Attach(_interrupt, [_loop]);
        return _balloon;
    }

    private VirtioBalloon Start(BalloonOptions options, ulong features)
    {
        Make(options);
        Activate(features);
        return _balloon!;
    }

    /// <param name="features">What the driver took.</param>
    /// <param name="inUse">A bit for each queue.</param>
    private void Activate(ulong features, int inUse = 0b01111)
    {
        Virtqueue[] queues = new Virtqueue[5];
        for (int i = 0; i < queues.Length; i++)
        {
            _drivers[i] = new TestDriver(_memory, 64);
            queues[i] = (inUse & (1 << i)) != 0 ? _drivers[i].Enable() : new Virtqueue(_memory.Memory, 64);
        }

        _balloon!.Activate(features | (ulong)VirtioFeatures.Version1, queues);
    }

    private ulong Place(params ReadOnlySpan<uint> numbers) => _memory.Place(MemoryMarshal.AsBytes(numbers));

    private void Put(int queue, params ReadOnlySpan<uint> numbers) =>
        _drivers[queue].Add(TestBuffer.Readable(Place(numbers), numbers.Length * 4));

    private uint Configuration(uint offset)
    {
        byte[] data = [9, 9, 9, 9];
        _balloon!.ReadConfiguration(offset, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private unsafe nint Host(ulong page) => (nint)_memory.Pointer(page * 4096);

    private sealed class SilentRelease : IPageRelease
    {
        public ulong ReleaseUnit => 4096;

        public bool TryRelease(nint address, ulong length, out int error)
        {
            error = 0;
            return true;
        }
    }
}
