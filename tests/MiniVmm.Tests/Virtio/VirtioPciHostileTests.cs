using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>Ways in which other monitors' PCI transports were broken, each with where it was found.</summary>
public sealed class VirtioPciHostileTests : IDisposable
{
    private readonly TestMemory _memory = new();
    private readonly EchoDevice _device = new(16, 8);
    private readonly PciDriver _driver;

    public VirtioPciHostileTests() => _driver = new(_device, _memory);

    public void Dispose()
    {
        _driver.Dispose();
        _memory.Dispose();
    }

    /// <summary>CVE-2011-2512: a queue's number out of range in a notification.</summary>
    [Fact]
    public void A_doorbell_that_is_no_queues_is_heard_by_nobody()
    {
        _driver.Start();
        for (ulong at = 2 * 4; at < 0x1000; at += 4)
            _driver.Write(_driver.AddressOf(2) + at, 1, 2);
        _driver.Write(_driver.AddressOf(2) + 2, 0, 2); // between two
        _driver.Write(_driver.AddressOf(2), 0xffff, 4); // whose number does not matter

        Assert.True(_driver.Threads.IsRung(0));
        Assert.False(_driver.Threads.IsRung(1));
    }

    /// <summary>Cloud Hypervisor 7918: a vector for a queue that queue_select has not.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(0x7fff)]
    [InlineData(0xffff)]
    public void A_queue_that_there_is_not_has_no_vector_no_size_and_no_address(ushort queue)
    {
        _driver.SetCommon(0x16, queue, 2);
        foreach ((uint field, int length) in ((uint, int)[])[(0x18, 2), (0x1a, 2), (0x1c, 2), (0x20, 8), (0x28, 8), (0x30, 8), (0x3a, 2)])
            _driver.SetCommon(field, 1, length);

        Assert.Equal((0UL, 0xffffUL, 0UL), (_driver.Common(0x18, 2), _driver.Common(0x1a, 2), _driver.Common(0x1c, 2)));
        Assert.Equal((0UL, 0UL), (_driver.Common(0x20, 8), _driver.Common(0x1e, 2)));
    }

    /// <summary>CVE-2026-5747: a queue's registers written again while the device runs.</summary>
    [Fact]
    public void A_queue_in_use_does_not_move()
    {
        TestDriver[] queues = _driver.Start();
        _driver.SetCommon(0x16, 0, 2);
        _driver.SetCommon(0x18, 4, 2);
        _driver.SetCommon(0x20, 0x1000, 8);
        _driver.SetCommon(0x1c, 0, 2);

        Assert.Equal((8UL, queues[0].Descriptors, 1UL), (_driver.Common(0x18, 2), _driver.Common(0x20, 8), _driver.Common(0x1c, 2)));
    }

    /// <summary>CVE-2021-3750: rings or buffers in the device's own registers.</summary>
    [Fact]
    public void A_queue_in_the_devices_own_registers_is_refused()
    {
        _driver.Space.Write16(4, 0x6);
        Assert.True(_driver.Negotiate(1UL << 32));
        _driver.SetUpQueue(0, 8, enable: false);
        _driver.SetCommon(0x30, _driver.AddressOf(1), 8);
        _driver.SetCommon(0x1c, 1, 2);
        _driver.Status |= VirtioStatus.DriverOk;

        Assert.True(_driver.Status.HasFlag(VirtioStatus.NeedsReset));
        Assert.False(_device.IsActive);
    }

    /// <summary>Cloud Hypervisor 8417: short or misaligned accesses to the pending bits and the table.</summary>
    [Fact]
    public void Messages_are_read_and_written_in_any_width_at_any_offset()
    {
        ulong table = _driver.Space.Read32(0x14);
        for (ulong at = 0; at < 0x1000 - 8; at++)
        {
            for (int width = 1; width <= 8; width *= 2)
            {
                _driver.Write(table + at, 0, width);
                Assert.Equal(0UL, _driver.Read(table + 0x800, 8));
                _ = _driver.Read(table + at, width);
            }
        }
    }

    /// <summary>CVE-2021-45464: configuration space read past its end.</summary>
    [Fact]
    public void Behind_the_devices_configuration_there_are_zeroes()
    {
        for (ulong at = 8; at + 8 <= 0x1000; at++)
            Assert.Equal(0UL, _driver.Read(_driver.AddressOf(4) + at, 8));
        _driver.Write(_driver.AddressOf(4) + 0xff8, ulong.MaxValue, 8);
    }
}
