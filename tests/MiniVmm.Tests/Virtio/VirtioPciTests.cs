using System.Text;
using MiniVmm.Devices;
using MiniVmm.Pci;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>virtio 1.2, 4.1, as a driver goes through it.</summary>
public sealed class VirtioPciTests : IDisposable
{
    private const ushort NoVector = 0xffff;
    private readonly TestMemory _memory = new();
    private readonly EchoDevice _device = new(16, 8);
    private readonly PciDriver _driver;

    public VirtioPciTests() => _driver = new(_device, _memory);

    public void Dispose()
    {
        _driver.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void It_is_a_modern_device_that_no_legacy_driver_takes()
    {
        Assert.Equal(0x106a_1af4u, _driver.Space.Read32(0)); // 0x1040 + 42
        Assert.Equal((1, 0x00ff00u), (_driver.Space.Read8(8), _driver.Space.Read32(8) >> 8));
        Assert.Equal(0x106a, _driver.Space.Read16(0x2e));
        Assert.Equal((5, 1), (_driver.Space.Read8(0x3c), _driver.Space.Read8(0x3d)));
    }

    [Theory]
    [InlineData(1, 0x1041, 0x020000)]
    [InlineData(2, 0x1042, 0x010000)]
    [InlineData(3, 0x1043, 0x078000)]
    [InlineData(4, 0x1044, 0x00ff00)]
    public void Each_kind_of_device_has_its_ID_and_class(uint type, ushort id, uint code)
    {
        PciIdentity identity = VirtioPciIdentity.Of(type);
        Assert.Equal((id, code), (identity.Device, identity.Class));
    }

    [Fact]
    public void It_lists_all_five_regions_and_MSI_X_with_a_vector_more_than_queues()
    {
        Assert.Equal([0x11, 0x09, 0x09, 0x09, 0x09, 0x09], _driver.Space.Capabilities().Select(each => (int)each.Id));
        Assert.All(Enumerable.Range(1, 5), region => Assert.NotEqual(0, _driver.CapabilityOf(region)));
        int msix = _driver.Space.Capabilities().First().Offset;
        Assert.Equal(2, _driver.Space.Read16(msix + 2)); // a table of three
        Assert.Equal(4u, _driver.Space.Read32(_driver.CapabilityOf(2) + 16));
    }

    [Fact]
    public void A_driver_starts_it_and_gets_its_buffers_back()
    {
        TestDriver[] queues = _driver.Start();
        Assert.True(_device.IsActive);
        AssertEchoes(queues[1], 1);
        Assert.Equal(1, _driver.Line.Count);
    }

    [Fact]
    public void The_interrupt_status_clears_as_it_is_read()
    {
        TestDriver[] queues = _driver.Start();
        AssertEchoes(queues[0], 0);
        Assert.Equal(0x18, _driver.Space.Read16(6)); // it has capabilities, and wants an interrupt
        Assert.Equal(1UL, _driver.Read(_driver.AddressOf(3), 1));
        Assert.Equal(0UL, _driver.Read(_driver.AddressOf(3), 1));
        Assert.Equal(0x10, _driver.Space.Read16(6));
    }

    [Fact]
    public void A_line_that_falls_with_a_cause_left_is_asserted_again()
    {
        TestDriver[] queues = _driver.Start();
        AssertEchoes(queues[0], 0);
        _driver.Function.LineEnded();
        Assert.Equal(2, _driver.Line.Count);
        _driver.Read(_driver.AddressOf(3), 1);
        _driver.Function.LineEnded();
        Assert.Equal(2, _driver.Line.Count);
    }

    [Fact]
    public void Held_back_in_the_command_register_the_line_is_asserted_when_it_may()
    {
        TestDriver[] queues = _driver.Start();
        _driver.Space.Write16(4, 0x406);
        AssertEchoes(queues[0], 0);
        Assert.Equal(0, _driver.Line.Count);
        _driver.Space.Write16(4, 0x006);
        Assert.Equal(1, _driver.Line.Count);
    }

    [Fact]
    public void With_MSI_X_each_queue_has_its_vector()
    {
        EnableMessages();
        TestDriver[] queues = _driver.Start();
        SetVector(0, 2);
        SetVector(1, 1);
        AssertEchoes(queues[0], 0);
        AssertEchoes(queues[1], 1);
        _driver.Function.Transport.ConfigurationChanged(); // which has none

        Assert.Equal([0, 1, 1], _driver.Lines.Select(line => line.Sent.Count));
        Assert.Equal(0, _driver.Line.Count);
        _driver.SetCommon(0x10, 0, 2);
        _driver.Function.Transport.ConfigurationChanged();
        Assert.Single(_driver.Lines[0].Sent);
    }

    [Fact]
    public void A_vector_that_there_is_not_reads_back_as_none()
    {
        _driver.SetCommon(0x10, 3, 2);
        Assert.Equal(NoVector, _driver.Common(0x10, 2));
        _driver.SetCommon(0x10, 2, 2);
        Assert.Equal(2UL, _driver.Common(0x10, 2));
        _driver.SetCommon(0x16, 7, 2);
        _driver.SetCommon(0x1a, 1, 2);
        Assert.Equal((NoVector, 0UL), (_driver.Common(0x1a, 2), _driver.Common(0x18, 2))); // no queue 7
        _driver.Status = VirtioStatus.None;
        Assert.Equal(NoVector, _driver.Common(0x10, 2));
    }

    [Fact]
    public void Its_threads_are_parked_until_it_is_a_bus_master()
    {
        Assert.True(_driver.Threads.IsParked);
        _driver.Space.Write16(4, 0x6);
        Assert.False(_driver.Threads.IsParked);
        _driver.Space.Write16(4, 0x2);
        Assert.True(_driver.Threads.IsParked);
        _driver.Space.Write16(4, 0x2);
        _driver.Space.Write16(4, 0x6);
        Assert.False(_driver.Threads.IsParked);
    }

    [Fact]
    public void A_queue_alone_is_reset_and_goes_on_elsewhere()
    {
        TestDriver[] queues = _driver.Start();
        queues[1].Add(TestBuffer.Readable(_memory.Allocate(4), 4)); // which the driver takes back
        _driver.SetCommon(0x16, 1, 2);
        _driver.SetCommon(0x3a, 1, 2);
        Assert.Equal((0UL, 0UL), (_driver.Common(0x3a, 2), _driver.Common(0x1c, 2)));
        _driver.Kick(1);
        Assert.Equal(0, queues[1].UsedIndex);
        AssertEchoes(queues[0], 0);

        TestDriver fresh = _driver.SetUpQueue(1, 4);
        Assert.Equal(1UL, _driver.Common(0x1c, 2));
        _driver.Threads.Run();
        AssertEchoes(fresh, 1);
        Assert.Equal(0, queues[1].UsedIndex);
        Assert.True(_driver.Status.HasFlag(VirtioStatus.DriverOk) && !_driver.Status.HasFlag(VirtioStatus.NeedsReset));
    }

    [Fact]
    public void Without_the_feature_a_queue_is_not_reset()
    {
        TestDriver[] queues = _driver.Start(wanted: 1UL << 32);
        _driver.SetCommon(0x16, 0, 2);
        _driver.SetCommon(0x3a, 1, 2);
        Assert.Equal(1UL, _driver.Common(0x1c, 2));
        AssertEchoes(queues[0], 0);
    }

    [Fact]
    public void A_queue_that_comes_back_where_no_RAM_is_makes_the_device_ask_for_a_reset()
    {
        _driver.Start();
        _driver.SetCommon(0x16, 0, 2);
        _driver.SetCommon(0x3a, 1, 2);
        _driver.SetCommon(0x20, 0xffff_ffff_0000_0000, 8);
        _driver.SetCommon(0x1c, 1, 2);
        Assert.True(_driver.Status.HasFlag(VirtioStatus.NeedsReset));
    }

    [Fact]
    public void The_configuration_space_is_a_window_on_the_registers()
    {
        int window = _driver.CapabilityOf(5);
        _driver.Space.Write8(window + 4, 4);
        _driver.Space.Write32(window + 8, 0x14); // device_status
        _driver.Space.Write32(window + 12, 1);
        _driver.Space.Write32(window + 16, 1);
        Assert.Equal((VirtioStatus.Acknowledge, 1), (_driver.Status, _driver.Space.Read8(window + 16)));

        _driver.Space.Write32(window + 8, 0xffff_fffe);
        _driver.Space.Write32(window + 12, 4);
        _driver.Space.Write32(window + 16, 0);
        _ = _driver.Space.Read32(window + 16);
        _driver.Space.Write8(window + 4, 1);
        _ = _driver.Space.Read32(window + 16);
        Assert.Equal(VirtioStatus.Acknowledge, _driver.Status);
    }

    [Fact]
    public void Its_registers_and_doorbells_move_with_the_BAR()
    {
        _driver.Start();
        ulong before = _driver.AddressOf(1);
        _driver.Space.Write32(0x20, (uint)before + 0x10_0000);
        _driver.Space.Write32(0x24, 0);

        Assert.Equal(0xfUL, _driver.Read(before + 0x10_0014, 1));
        Assert.Equal(before + 0x10_0000, _driver.Doorbells.At);
    }

    [Fact]
    public void It_goes_on_in_another_with_its_vectors_and_messages()
    {
        EnableMessages();
        TestDriver[] queues = _driver.Start();
        SetVector(0, 2);
        SetVector(1, 1);
        AssertEchoes(queues[0], 0);
        using EchoDevice device = new(16, 8);
        using PciDriver other = new(device, _memory);
        foreach ((ISuspendable from, ISuspendable to) in _driver.Function.Suspendable.Zip(other.Function.Suspendable))
            StateReader.Restore(to, StateWriter.Save(from));

        // Whatever of the first one's interrupts was still on its way comes again.
        Assert.Equal([0, 1, 1], other.Lines.Select(line => line.Sent.Count));
        int sent = other.Lines[1].Sent.Count;

        queues[1].Add(TestBuffer.Writable(_memory.Allocate(4), 4));
        other.Kick(1);
        Assert.Equal((1, sent + 1), (queues[1].UsedIndex, other.Lines[1].Sent.Count));
    }

    /// <summary>What a vCPU's thread does while a device is in use; to set it up and to move it allocates.</summary>
    [Fact]
    public void The_interrupt_status_and_a_mask_allocate_nothing()
    {
        EnableMessages();
        _driver.Start();
        SetVector(0, 1);
        VirtioPci registers = (VirtioPci)_driver.Function.Suspendable.Last();
        MsixTable messages = (MsixTable)_driver.Function.Suspendable.First();
        byte[] mask = [1, 0, 0, 0];
        byte[] open = [0, 0, 0, 0];
        byte[] status = new byte[1];

        Assert.Equal(0, Allocations.Steady(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            messages.Write(16 + 12, mask);
            messages.Write(16 + 12, open);
            registers.Read(0x1000, status);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    [Fact]
    public void Whatever_a_driver_writes_nothing_is_thrown()
    {
        Random random = new(1);
        for (int i = 0; i < 30_000; i++)
        {
            int width = 1 << random.Next(4);
            ulong value = random.Next(2) == 0 ? (ulong)random.Next(16) : (ulong)random.NextInt64();
            ulong address = _driver.AddressOf(1) + (ulong)random.Next(4 * 0x1000);
            if (random.Next(3) != 0)
                address = _driver.AddressOf(1) + (ulong)random.Next(0x40);
            if (address + (ulong)width > _driver.AddressOf(1) + 0x4000)
                continue;
            _driver.Write(address, value, width);
            _ = _driver.Read(address, width);
            if (!_driver.Threads.IsParked)
                _driver.Threads.Run();
            else if (i % 64 == 0)
                _driver.Space.Write16(4, 0x6);
        }
    }

    private void EnableMessages()
    {
        int msix = _driver.Space.Capabilities().First().Offset;
        ulong table = _driver.Space.Read32(0x14);
        for (ulong vector = 0; vector < 3; vector++)
        {
            _driver.Write(table + (vector * 16), 0xfee0_0000, 8);
            _driver.Write(table + (vector * 16) + 8, 0x40 + vector, 8);
        }

        _driver.Space.Write16(msix + 2, 0x8000);
    }

    private void SetVector(int queue, ushort vector)
    {
        _driver.SetCommon(0x16, (ulong)queue, 2);
        _driver.SetCommon(0x1a, vector, 2);
        Assert.Equal(vector, _driver.Common(0x1a, 2));
    }

    private void AssertEchoes(TestDriver queue, int number)
    {
        ulong to = _memory.Allocate(4);
        queue.Add(TestBuffer.Readable(_memory.Place("echo"u8), 4), TestBuffer.Writable(to, 4));
        _driver.Kick(number);
        Assert.True(queue.TryReap(out _, out uint written));
        Assert.Equal((4u, "echo"), (written, Encoding.ASCII.GetString(_memory.Bytes(to, 4))));
    }
}
