using System.Buffers.Binary;
using MiniVmm.Storage;
using MiniVmm.Tests.Cli;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Block;

namespace MiniVmm.Tests.Virtio.Block;

/// <summary>A disk with a driver on each of its queues.</summary>
internal sealed class BlockFixture : IDisposable
{
    public const byte Ok = 0;
    public const byte IoError = 1;
    public const byte Unsupported = 2;

    /// <summary>What a status byte is before the device writes it.</summary>
    public const byte Untouched = 0xee;

    public const uint In = 0;
    public const uint Out = 1;
    public const uint Flush = 4;
    public const uint GetId = 8;
    public const uint Discard = 11;
    public const uint WriteZeroes = 13;

    private readonly long _tick;
    private long _now;

    /// <remarks>With cache=none every request seems to take long, so that all of them go to workers.</remarks>
    public BlockFixture(
        IDiskImage image, DiskOptions? options = null, int queues = 1, ulong? features = null, bool eventIndex = true)
    {
        options ??= new DiskOptions { File = "test.img" };
        _tick = options.Cache == DiskCache.None ? 200_000 : 0;
        Device = new VirtioBlock(image, options, queues, Warned, () => Interlocked.Add(ref _now, _tick));
        Device.Attach(Interrupt, [Loop]);
        Drivers = [.. Enumerable.Range(0, queues).Select(_ => new TestDriver(Memory, 256, eventIndex))];
        Activate(features ?? Device.Features);
    }

    public TestMemory Memory { get; } = new((0UL, 8 << 20));

    public FakeInterrupt Interrupt { get; } = new();

    public FakeLoop Loop { get; } = new();

    public VirtioBlock Device { get; }

    public TestDriver[] Drivers { get; }

    public List<string> Warnings { get; } = [];

    /// <summary>The device's clock, in nanoseconds.</summary>
    public long Now
    {
        get => _now;
        set => _now = value;
    }

    public void Activate(ulong features) => Device.Activate(
        features | (ulong)VirtioFeatures.Version1,
        [.. Drivers.Select(driver => driver.Enable(VirtioFeatures.IndirectDescriptors, 256))]);

    public static byte[] Header(uint type, ulong sector)
    {
        byte[] header = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), sector);
        return header;
    }

    public static byte[] Segment(ulong sector, uint sectors, uint flags = 0)
    {
        byte[] segment = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(segment, sector);
        BinaryPrimitives.WriteUInt32LittleEndian(segment.AsSpan(8), sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(segment.AsSpan(12), flags);
        return segment;
    }

    /// <summary>Puts a request of the usual three parts into a queue.</summary>
    /// <returns>Where its data and its status byte are.</returns>
    public (ulong Data, ulong Status) Add(uint type, ulong sector, byte[]? data = null, int room = 0, int queue = 0)
    {
        ulong header = Memory.Place(Header(type, sector));
        ulong status = Memory.Place(Untouched);
        TestBuffer first = TestBuffer.Readable(header, 16);
        TestBuffer last = TestBuffer.Writable(status, 1);
        ulong at = 0;
        if (data is { Length: > 0 })
        {
            at = Memory.Place(data);
            Drivers[queue].Add(first, TestBuffer.Readable(at, data.Length), last);
        }
        else if (room > 0)
        {
            at = Memory.Allocate(room);
            Drivers[queue].Add(first, TestBuffer.Writable(at, room), last);
        }
        else
        {
            Drivers[queue].Add(first, last);
        }

        return (at, status);
    }

    /// <summary>Rings a queue's bell, if it wants that, and waits until everything in it was given back.</summary>
    public uint[] Run(int queue = 0)
    {
        Kick(queue);
        List<uint> written = [];
        DateTime end = DateTime.UtcNow.AddSeconds(30);
        while (Drivers[queue].Outstanding > 0)
        {
            Assert.True(DateTime.UtcNow < end, $"{Drivers[queue].Outstanding} requests never came back");
            if (Drivers[queue].TryReap(out _, out uint bytes))
                written.Add(bytes);
            else
                Loop.Poll(1);
        }

        return [.. written];
    }

    public void Kick(int queue = 0)
    {
        if (Drivers[queue].ShouldKick())
            Device.Notify(queue);
    }

    /// <summary>One request from start to end; gives its status.</summary>
    public byte Do(uint type, ulong sector, byte[]? data = null, int room = 0)
    {
        (_, ulong status) = Add(type, sector, data, room);
        Assert.Single(Run());
        return Memory.Read<byte>(status);
    }

    public byte[] Read(ulong sector, int length)
    {
        (ulong data, ulong status) = Add(In, sector, room: length);
        Assert.Equal((uint)length + 1, Assert.Single(Run()));
        Assert.Equal(Ok, Memory.Read<byte>(status));
        return Memory.Bytes(data, length).ToArray();
    }

    public void Dispose()
    {
        Device.Dispose();
        Memory.Dispose();
    }

    private void Warned(OptionMessage line) => Warnings.Add(line.OnCommandLine());
}
