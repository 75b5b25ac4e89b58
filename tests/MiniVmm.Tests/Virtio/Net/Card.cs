using MiniVmm.Network;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Net;

namespace MiniVmm.Tests.Virtio.Net;

/// <summary>A card on sockets, with the driver's side of its queues.</summary>
internal sealed class Card : IDisposable
{
    public const int Header = 12;
    public static readonly MacAddress Mac = new(0x5254_00ab_cdef);

    private readonly List<Virtqueue> _queues = [];

    public Card(
        bool hasHeader = false,
        NetFeatures features = NetFeatures.MrgRxbuf | NetFeatures.CtrlVq,
        int pairs = 1,
        ulong? bandwidth = null,
        ushort queueSize = 64)
    {
        Endpoint = new SocketEndpoint(hasHeader, pairs, hasHeader ? NetOffloads.All : NetOffloads.None);
        Device = new VirtioNet(Endpoint, Mac, bandwidth);
        Loops = [.. Enumerable.Range(0, Device.Threads).Select(_ => new FakeLoop())];
        Device.Attach(Interrupt, Loops);
        Drivers = [.. Enumerable.Range(0, Device.QueueSizes.Count).Select(_ => new TestDriver(Memory, queueSize))];
        Activate(features);
    }

    public TestMemory Memory { get; } = new((0UL, 4 << 20));

    public SocketEndpoint Endpoint { get; }

    public VirtioNet Device { get; }

    public FakeInterrupt Interrupt { get; } = new();

    public FakeLoop[] Loops { get; }

    public TestDriver[] Drivers { get; }

    public TestDriver Rx => Drivers[0];

    public TestDriver Tx => Drivers[1];

    public TestDriver Control => Drivers[^1];

    public void Activate(NetFeatures features)
    {
        _queues.Clear();
        _queues.AddRange(Drivers.Select(driver => driver.Enable()));
        Device.Activate((ulong)features | (ulong)VirtioFeatures.Version1, _queues);
    }

    /// <summary>Takes one queue back, as the transport does (virtio 1.2, 2.6.1).</summary>
    public void ResetQueue(int queue)
    {
        Device.ResetQueue(queue);
        _queues[queue].Disable();
    }

    /// <summary>Puts a queue that was reset into use again, on fresh rings.</summary>
    public void EnableQueue(int queue)
    {
        TestDriver driver = Drivers[queue] = new TestDriver(Memory, Drivers[queue].Size);
        Assert.True(_queues[queue].TryEnable(
            driver.Size, driver.Descriptors, driver.Available, driver.Used, VirtioFeatures.None));
    }

    /// <summary>A buffer for received frames.</summary>
    public ulong AddRx(int length)
    {
        ulong at = Memory.Allocate(length);
        Rx.Add(TestBuffer.Writable(at, length));
        return at;
    }

    /// <summary>Sends a frame behind a header of zeroes.</summary>
    public void Send(ReadOnlySpan<byte> frame, int queue = 1)
    {
        ulong at = Memory.Place([.. new byte[Header], .. frame]);
        Drivers[queue].Add(TestBuffer.Readable(at, Header + frame.Length));
        Device.Notify(queue);
    }

    /// <summary>Gives a command; its answer, 0 for done.</summary>
    public byte Command(byte @class, byte command, params byte[] data)
    {
        ulong at = Memory.Place([@class, command, .. data]);
        ulong answer = Memory.Place<byte>(0xee);
        Control.Add(TestBuffer.Readable(at, 2 + data.Length), TestBuffer.Writable(answer, 1));
        Device.Notify(Drivers.Length - 1);
        Assert.True(Control.TryReap(out _, out uint written));
        Assert.Equal(1u, written);
        return Memory.Read<byte>(answer);
    }

    /// <summary>Ethernet to everybody, with this many bytes altogether.</summary>
    public static byte[] Frame(int length, byte seed = 1)
    {
        byte[] frame = new byte[length];
        for (int i = 0; i < length; i++)
            frame[i] = (byte)(seed + (i * 7));
        return frame;
    }

    public void Dispose()
    {
        Device.Dispose();
        Memory.Dispose();
    }
}
