using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Tests.Pci;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>
/// A virtio device as a PCI function, and the driver in front of it: it finds its registers as virtio 1.2, 4.1.4 has it.
/// </summary>
internal sealed class PciDriver : IDisposable
{
    private readonly IVirtioDevice _device;
    private readonly Bus _memory = new("memory", ulong.MaxValue);
    private readonly Dictionary<int, (ulong Address, int Capability)> _regions = [];

    public PciDriver(IVirtioDevice device, TestMemory memory)
    {
        _device = device;
        Memory = memory;
        Threads = new FakeThreads(device);
        PciDecoding decoding = new(PciWindows.Above(MemoryLayout.GiB));
        Lines = [.. Enumerable.Range(0, device.QueueSizes.Count + 1).Select(_ => new FakeMessageLine())];
        Function = new VirtioPciFunction("device", device, Threads, new()
        {
            Decoding = decoding,
            Memory = _memory,
            Ram = memory.Memory,
            Messages = [.. Lines],
            Line = Line,
            IsaLine = 5,
            Doorbells = Doorbells,
        });
        device.Attach(Function.Transport, Threads.Loops);
        Bus = new PciBus(decoding);
        Bus.Add(new(1, 0), Function.Endpoint);
        PciAssignment.Assign(decoding.Windows, [Function.Endpoint]);
        Space = new(Bus, new PciSlot(1, 0).Number);
        Find();
    }

    public TestMemory Memory { get; }

    public FakeThreads Threads { get; }

    public FakeMessageLine[] Lines { get; }

    public FakeTrigger Line { get; } = new();

    public FakeTarget Doorbells { get; } = new();

    public VirtioPciFunction Function { get; }

    public PciBus Bus { get; }

    public PciSpace Space { get; }

    /// <summary>Offset of a region's capability in configuration space.</summary>
    public int CapabilityOf(int region) => _regions[region].Capability;

    public ulong AddressOf(int region) => _regions[region].Address;

    public VirtioStatus Status
    {
        get => (VirtioStatus)Common(0x14, 1);
        set => SetCommon(0x14, (ulong)value, 1);
    }

    /// <summary>A field of struct virtio_pci_common_cfg.</summary>
    public ulong Common(uint offset, int length) => Read(AddressOf(1) + offset, length);

    public void SetCommon(uint offset, ulong value, int length) => Write(AddressOf(1) + offset, value, length);

    public ulong Read(ulong address, int length)
    {
        byte[] data = new byte[8];
        Assert.True(_memory.Read(address, data.AsSpan(0, length)), $"nothing at 0x{address:x}");
        return BinaryPrimitives.ReadUInt64LittleEndian(data);
    }

    public void Write(ulong address, ulong value, int length)
    {
        byte[] data = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(data, value);
        Assert.True(_memory.Write(address, data.AsSpan(0, length)), $"nothing at 0x{address:x}");
    }

    /// <summary>Features, as many as are offered of those.</summary>
    public bool Negotiate(ulong wanted)
    {
        Status = VirtioStatus.None;
        Status = VirtioStatus.Acknowledge;
        Status |= VirtioStatus.Driver;
        for (uint half = 0; half < 2; half++)
        {
            SetCommon(0x00, half, 4);
            SetCommon(0x08, half, 4);
            ulong offered = Common(0x04, 4);
            SetCommon(0x0c, offered & (wanted >> (32 * (int)half)), 4);
        }

        Status |= VirtioStatus.FeaturesOk;
        return Status.HasFlag(VirtioStatus.FeaturesOk);
    }

    public TestDriver SetUpQueue(int queue, ushort size, bool enable = true)
    {
        TestDriver driver = new(Memory, size);
        SetCommon(0x16, (ulong)queue, 2);
        SetCommon(0x18, size, 2);
        SetCommon(0x20, driver.Descriptors, 8);
        SetCommon(0x28, (uint)driver.Available, 4);
        SetCommon(0x2c, driver.Available >> 32, 4);
        SetCommon(0x30, driver.Used, 8);
        if (enable)
            SetCommon(0x1c, 1, 2);
        return driver;
    }

    /// <summary>The steps to DRIVER_OK, all queues of one size, as a bus master.</summary>
    public TestDriver[] Start(ushort size = 8, ulong wanted = (1UL << 40) | (1UL << 32) | 0xffff)
    {
        Space.Write16(4, (ushort)(Space.Read16(4) | 0x4));
        Assert.True(Negotiate(wanted));
        TestDriver[] queues = [.. Enumerable.Range(0, _device.QueueSizes.Count).Select(queue => SetUpQueue(queue, size))];
        Status |= VirtioStatus.DriverOk;
        Threads.Run();
        return queues;
    }

    public void Kick(int queue)
    {
        Write(AddressOf(2) + ((ulong)queue * 4), (ulong)queue, 2);
        Threads.Run();
    }

    public void Dispose()
    {
        Function.Transport.Reset();
        _device.Dispose();
        Function.Dispose();
    }

    private void Find()
    {
        foreach ((int offset, byte id) in Space.Capabilities())
        {
            if (id != 0x09)
                continue;
            int bar = Space.Read8(offset + 4);
            ulong start = Space.Read32(0x10 + (4 * bar)) & ~0xfu;
            _regions.TryAdd(Space.Read8(offset + 3), (start + Space.Read32(offset + 8), offset));
        }
    }
}
