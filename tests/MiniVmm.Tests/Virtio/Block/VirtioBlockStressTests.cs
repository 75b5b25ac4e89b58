using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Block;
using static MiniVmm.Tests.Virtio.Block.BlockFixture;

namespace MiniVmm.Tests.Virtio.Block;

/// <summary>
/// A disk with its thread and its workers behind real registers, and for each queue a driver on a thread of its own,
/// which sleeps until it is told: each request comes back once, with what it should have, and a reset at any moment
/// ends all writing.
/// </summary>
public sealed class VirtioBlockStressTests : IDisposable
{
    private const int Queues = 3;
    private const ushort Descriptors = 128;
    private const int Slots = 40; // of all queues together more than may be in flight
    private const int SlotBytes = 4096;
    private const int DataBytes = 4 * 512;
    private const int Rounds = 24;
    private const int Requests = 150;
    private static readonly TimeSpan Lost = TimeSpan.FromSeconds(60);

    private readonly TestMemory _memory = new((0UL, 8 << 20));
    private readonly SlowImage _image = new(Queues * Slots * DataBytes);
    private readonly Line _line = new();
    private readonly VirtioBlock _device;
    private readonly DeviceThreads _threads;
    private readonly VirtioTransport _transport;
    private readonly VirtioMmio _registers;
    private readonly ulong _room;
    private readonly byte[][] _model =
        [.. Enumerable.Range(0, Queues * Slots).Select(_ => new byte[DataBytes])];

    public VirtioBlockStressTests()
    {
        _device = new VirtioBlock(_image, new DiskOptions { File = "x" }, Queues, _ => { });
        _threads = new DeviceThreads("stress", _device);
        _transport = new VirtioTransport(_device, _threads, _memory.Memory, new SharedLine(_line));
        _registers = new VirtioMmio(_transport);
        _device.Attach(_transport, _threads.Loops);
        _threads.Start();
        _room = _memory.Allocate(Queues * Slots * SlotBytes);
        _memory.Bytes(_room, Queues * Slots * SlotBytes).Fill(Untouched);
    }

    public void Dispose()
    {
        _transport.Reset();
        _threads.Dispose();
        _device.Dispose();
        _line.Dispose();
        _memory.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_request_comes_back_once_and_a_reset_ends_all_writing(bool eventIndex)
    {
        for (int round = 0; round < Rounds; round++)
        {
            TestDriver[] drivers = Start(eventIndex);

            // Every other round ends in the middle of things.
            bool abandon = round % 2 == 1;
            await Task.WhenAll(Enumerable.Range(0, Queues).Select(queue => Task.Factory.StartNew(
                () => Drive(drivers[queue], queue, new Random((round * Queues) + queue), abandon),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

            Write(0x70, 0);
            byte[] afterReset = _memory.Bytes(_room, Queues * Slots * SlotBytes).ToArray();
            ushort[] used = [.. drivers.Select(driver => driver.UsedIndex)];
            for (int slot = 0; slot < _model.Length; slot++)
            {
                byte[] now = _image.Bytes[(slot * DataBytes)..((slot + 1) * DataBytes)];
                if (!abandon)
                    Assert.Equal(_model[slot], now);
                _model[slot] = now;
            }

            Assert.Equal(0, _image.Busy);
            Assert.Equal(used, drivers.Select(driver => driver.UsedIndex));
            Assert.True(_memory.Bytes(_room, afterReset.Length).SequenceEqual(afterReset), "a late write");
            _memory.Bytes(_room, afterReset.Length).Fill(Untouched);
        }

        Assert.True(_image.MostBusy > 1, "nothing was in flight together");
    }

    private TestDriver[] Start(bool eventIndex)
    {
        ulong features = _device.Features
            | (ulong)(VirtioFeatures.Version1 | (eventIndex ? VirtioFeatures.EventIndex : VirtioFeatures.None));
        Write(0x70, 3);
        Write(0x24, 0);
        Write(0x20, (uint)features);
        Write(0x24, 1);
        Write(0x20, (uint)(features >> 32));
        Write(0x70, 11);
        TestDriver[] drivers =
            [.. Enumerable.Range(0, Queues).Select(_ => new TestDriver(_memory, Descriptors, eventIndex))];
        for (int i = 0; i < Queues; i++)
        {
            Write(0x30, (uint)i);
            Write(0x38, Descriptors);
            Write(0x80, (uint)drivers[i].Descriptors);
            Write(0x90, (uint)drivers[i].Available);
            Write(0xa0, (uint)drivers[i].Used);
            Write(0x44, 1);
        }

        Write(0x70, 15);
        return drivers;
    }

    private void Drive(TestDriver driver, int queue, Random random, bool abandon)
    {
        var idle = new Stack<int>(Enumerable.Range(queue * Slots, Slots));
        var busy = new (int Slot, uint Type)[Descriptors];
        int added = 0;
        int reaped = 0;
        while (reaped < Requests)
        {
            while (added < Requests && idle.Count > 0 && driver.Free >= 3 && random.Next(8) != 0)
            {
                int slot = idle.Pop();
                uint type = random.Next(8) switch { 0 => Flush, 1 => WriteZeroes, 2 => GetId, < 5 => Out, _ => In };
                busy[Add(driver, slot, type, (byte)random.Next(256))] = (slot, type);
                added++;
            }

            if (driver.ShouldKick())
                _threads.Ring(queue);
            if (abandon && added > Requests / 2)
                return;
            driver.DisableInterrupts();
            while (driver.TryReap(out ushort head, out uint written))
            {
                Check(busy[head].Slot, busy[head].Type, written);
                idle.Push(busy[head].Slot);
                reaped++;
            }

            bool full = added == Requests || idle.Count == 0 || driver.Free < 3;
            if (reaped < added && full && !driver.EnableInterrupts() && !_line.Wait(queue, Lost))
            {
                Assert.Fail($"queue {queue}: {added} added, {reaped} came back, {driver.UsedIndex} used,"
                    + $" {_image.Busy} busy");
            }
        }
    }

    /// <summary>Of a slot: header, status and data, and four sectors of the disk.</summary>
    private ushort Add(TestDriver driver, int slot, uint type, byte stamp)
    {
        ulong at = _room + (ulong)(slot * SlotBytes);
        if (_memory.Bytes(at, SlotBytes).ContainsAnyExcept(Untouched))
            Assert.Fail("a request that was given back was written to");
        ulong sector = (ulong)(slot * DataBytes / 512);
        Header(type, sector).CopyTo(_memory.Bytes(at, 16));
        var header = TestBuffer.Readable(at, 16);
        var status = TestBuffer.Writable(at + 16, 1);
        Span<byte> data = _memory.Bytes(at + 512, DataBytes);
        switch (type)
        {
            case In:
                return driver.Add(header, TestBuffer.Writable(at + 512, DataBytes), status);
            case Out:
                data.Fill(stamp);
                _model[slot].AsSpan().Fill(stamp);
                return driver.Add(header, TestBuffer.Readable(at + 512, DataBytes), status);
            case WriteZeroes:
                Segment(sector, DataBytes / 512, stamp & 1u).CopyTo(data);
                _model[slot].AsSpan().Clear();
                return driver.Add(header, TestBuffer.Readable(at + 512, 16), status);
            case GetId:
                return driver.Add(header, TestBuffer.Writable(at + 512, 20), status);
            default:
                return driver.Add(header, status);
        }
    }

    private void Check(int slot, uint type, uint written)
    {
        Span<byte> bytes = _memory.Bytes(_room + (ulong)(slot * SlotBytes), SlotBytes);
        uint expected = type switch { In => DataBytes + 1, GetId => 21, _ => 1 };
        if (bytes[16] != Ok || written != expected)
            Assert.Fail($"request {type}: status {bytes[16]}, {written} bytes written");
        if (type == In && !bytes.Slice(512, DataBytes).SequenceEqual(_model[slot]))
            Assert.Fail("another slot's data, or old");
        bytes.Fill(Untouched);
    }

    private void Write(int offset, uint value)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        _registers.Write((ulong)offset, data);
    }

    /// <summary>One line for all queues: each driver looks at its own.</summary>
    private sealed class Line : IInterruptTrigger, IDisposable
    {
        private readonly AutoResetEvent[] _queues =
            [.. Enumerable.Range(0, Queues).Select(_ => new AutoResetEvent(false))];

        public void Trigger()
        {
            foreach (AutoResetEvent queue in _queues)
                queue.Set();
        }

        public bool Wait(int queue, TimeSpan limit) => _queues[queue].WaitOne(limit);

        public void Dispose()
        {
            foreach (AutoResetEvent queue in _queues)
                queue.Dispose();
        }
    }

    /// <summary>A disk whose calls take now no time and now long, so that the device takes both ways.</summary>
    private sealed unsafe class SlowImage(int length) : IDiskImage
    {
        private int _busy;
        private int _most;

        public byte[] Bytes { get; } = new byte[length];

        public int Busy => Volatile.Read(ref _busy);

        public int MostBusy => Volatile.Read(ref _most);

        public ulong Length => (ulong)Bytes.Length;

        public bool IsReadOnly => false;

        public uint DiscardGranularity => 512;

        public int Read(ulong offset, ReadOnlySpan<IoVector> pieces)
        {
            Begin();
            foreach (IoVector piece in pieces)
            {
                Bytes.AsSpan((int)offset, (int)piece.Length).CopyTo(piece.Span);
                offset += piece.Length;
            }

            return End();
        }

        public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
        {
            Begin();
            foreach (IoVector piece in pieces)
            {
                piece.Span.CopyTo(Bytes.AsSpan((int)offset));
                offset += piece.Length;
            }

            return End();
        }

        public int Flush()
        {
            Begin();
            return End();
        }

        public int Discard(ulong offset, ulong length) => WriteZeroes(offset, length, true);

        public int WriteZeroes(ulong offset, ulong length, bool unmap)
        {
            Begin();
            Bytes.AsSpan((int)offset, (int)length).Clear();
            return End();
        }

        public void Dispose()
        {
            // Nothing of the host's.
        }

        private static void Dawdle()
        {
            switch (Random.Shared.Next(64))
            {
                case 0:
                    Thread.Sleep(1);
                    break;
                case < 8:
                    Thread.Yield();
                    break;
                case < 16:
                    Thread.SpinWait(200);
                    break;
                default:
                    break;
            }
        }

        private void Begin()
        {
            int busy = Interlocked.Increment(ref _busy);
            for (int most = _most; busy > most; most = _most)
                Interlocked.CompareExchange(ref _most, busy, most);
            Dawdle();
        }

        private int End()
        {
            Dawdle();
            Interlocked.Decrement(ref _busy);
            return 0;
        }
    }
}
