using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using MiniVmm.Devices;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>
/// A device behind its memory-mapped registers, and the driver in front of them: the steps of virtio 1.2, 3.1.1 and
/// 4.2.3, with threads that run when the test says so.
/// </summary>
public sealed class RegisterDriver : IDisposable
{
    private IVirtioDevice _device;

    /// <summary>Attaches a device to registers, loops and an interrupt line of its own.</summary>
    public RegisterDriver(IVirtioDevice device, TestMemory memory)
    {
        Memory = memory;
        Plug(device);
    }

    public TestMemory Memory { get; }

    public FakeThreads Threads { get; private set; }

    /// <summary>What is behind the registers.</summary>
    public VirtioTransport Transport { get; private set; }

    public VirtioMmio Registers { get; private set; }

    public FakeTrigger Line { get; } = new();

    /// <summary>The queues that were set up, by number.</summary>
    public Dictionary<int, TestDriver> Queues { get; } = [];

    /// <summary>What was negotiated last.</summary>
    public ulong Features { get; private set; }

    public VirtioStatus Status
    {
        get => (VirtioStatus)Read(0x70);
        set => Write(0x70, (uint)value);
    }

    public uint DeviceType => Read(0x08);

    /// <summary>What the device and its transport offer.</summary>
    public ulong Offered
    {
        get
        {
            Write(0x14, 1);
            ulong high = Read(0x10);
            Write(0x14, 0);
            return (high << 32) | Read(0x10);
        }
    }

    public uint InterruptStatus => Read(0x60);

    public uint ConfigurationGeneration => Read(0xfc);

    public uint Read(int offset)
    {
        Span<byte> data = stackalloc byte[4];
        Registers.Read((ulong)offset, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    public void Write(int offset, uint value)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        Registers.Write((ulong)offset, data);
    }

    /// <summary>Bytes of the configuration space.</summary>
    public byte[] ReadConfiguration(int offset, int length)
    {
        byte[] data = new byte[length];
        Registers.Read(0x100 + (ulong)offset, data);
        return data;
    }

    public void WriteConfiguration(int offset, ReadOnlySpan<byte> data) => Registers.Write(0x100 + (ulong)offset, data);

    /// <summary>Resets the device and waits until it says so.</summary>
    public void Reset()
    {
        Status = VirtioStatus.None;
        Assert.Equal(VirtioStatus.None, Status);
        Queues.Clear();
    }

    /// <summary>Reset to FEATURES_OK.</summary>
    /// <param name="wanted">What the driver can; it takes what is offered of that, and VERSION_1.</param>
    /// <returns>Whether the device agreed.</returns>
    public bool Negotiate(ulong wanted)
    {
        Reset();
        Status = VirtioStatus.Acknowledge;
        Status |= VirtioStatus.Driver;
        Features = (wanted | (ulong)VirtioFeatures.Version1) & Offered;
        WriteFeatures(Features);
        Status |= VirtioStatus.FeaturesOk;
        return Status.HasFlag(VirtioStatus.FeaturesOk);
    }

    /// <summary>Raw: both halves of the driver's features.</summary>
    public void WriteFeatures(ulong features)
    {
        Write(0x24, 0);
        Write(0x20, (uint)features);
        Write(0x24, 1);
        Write(0x20, (uint)(features >> 32));
    }

    /// <summary>Gives a queue its rings.</summary>
    public TestDriver SetUpQueue(int queue, ushort size)
    {
        Write(0x30, (uint)queue);
        Assert.Equal(0u, Read(0x44));
        Assert.True(Read(0x34) >= size, $"queue {queue} has no {size} descriptors");
        TestDriver driver = new(Memory, size, ((VirtioFeatures)Features).HasFlag(VirtioFeatures.EventIndex));
        Write(0x38, size);
        WriteAddress(0x80, driver.Descriptors);
        WriteAddress(0x90, driver.Available);
        WriteAddress(0xa0, driver.Used);
        Write(0x44, 1);
        Queues[queue] = driver;
        return driver;
    }

    /// <summary>All steps from reset to DRIVER_OK, with every queue as long as it may be, but for a limit.</summary>
    public void Start(ulong wanted = ulong.MaxValue, ushort largest = 64)
    {
        Assert.True(Negotiate(wanted), "the device refused the features");
        for (int i = 0; i < _device.QueueSizes.Count; i++)
            SetUpQueue(i, Math.Min(largest, _device.QueueSizes[i]));
        Status |= VirtioStatus.DriverOk;
        Assert.Equal(
            VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk, Status);
        Threads.Run();
    }

    /// <summary>Rings a queue's doorbell if the device wants to be told, and has it run.</summary>
    public void Kick(int queue)
    {
        if (Queues[queue].ShouldKick())
            Write(VirtioMmio.QueueNotify, (uint)queue);
        Threads.Run();
    }

    /// <summary>Puts another device in the place of this one, in its state; the old one is gone.</summary>
    /// <param name="make">Makes a device of the same options, on the same host's side.</param>
    public void HandOver(Func<IVirtioDevice> make)
    {
        byte[] state = StateWriter.Save(Registers);
        _device.Dispose();
        Plug(make());
        StateReader.Restore(Registers, state);
    }

    public void Dispose()
    {
        Transport.Reset();
        _device.Dispose();
    }

    [MemberNotNull(nameof(_device), nameof(Threads), nameof(Transport), nameof(Registers))]
    private void Plug(IVirtioDevice device)
    {
        _device = device;
        Threads = new FakeThreads(device);
        Transport = new VirtioTransport(device, Threads, Memory.Memory, new SharedLine(Line));
        Registers = new VirtioMmio(Transport);
        device.Attach(Transport, Threads.Loops);
    }

    private void WriteAddress(int offset, ulong address)
    {
        Write(offset, (uint)address);
        Write(offset + 4, (uint)(address >> 32));
    }
}
