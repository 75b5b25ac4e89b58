using System.Runtime.InteropServices;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Execution;

/// <summary>Rings made by hand, as the kernel fills them and as it never would.</summary>
public sealed unsafe class CoalescedRingTests : IDisposable
{
    private const int Page = 4096;
    private const uint Port = 0x80;
    private const ulong Address = 0xd000_0000;

    private readonly kvm_coalesced_mmio_ring* _header = (kvm_coalesced_mmio_ring*)NativeMemory.AllocZeroed(2 * Page);
    private readonly Bus _ports = new("port", 0xffff);
    private readonly Bus _memory = new("memory", ulong.MaxValue);
    private readonly Recorder _onPorts = new("port");
    private readonly Recorder _onMemory = new("memory");
    private readonly List<string> _writes = [];
    private readonly CoalescedRing _ring;

    public CoalescedRingTests()
    {
        _ring = new(_header);
        _ports.Add(_onPorts, "recorder", Port, 16);
        _memory.Add(_onMemory, "recorder", Address, 0x1000);
        _onPorts.Writes = _onMemory.Writes = _writes;
        new Span<byte>((byte*)_header + Page, Page).Fill(0xee); // what lies behind the ring
    }

    private static uint Capacity => CoalescedRing.Capacity;

    public void Dispose() => NativeMemory.Free(_header);

    [Fact]
    public void It_has_a_page_of_entries() => Assert.Equal((4096u - 8) / 24, Capacity);

    [Fact]
    public void An_empty_one_gives_nothing()
    {
        _header->first = _header->last = 5;

        Assert.Equal(0u, Drain());
        Assert.Empty(_writes);
    }

    [Fact]
    public void Writes_come_in_their_order_on_their_bus_with_their_bytes()
    {
        Queue(pio: true, Port, 0x11);
        Queue(pio: false, Address + 4, 0x21, 0x22, 0x23, 0x24);
        Queue(pio: true, Port + 2, 0x31, 0x32);
        Queue(pio: false, Address, 1, 2, 3, 4, 5, 6, 7, 8);

        Assert.Equal(4u, Drain());
        Assert.Equal(["port 0: 11", "memory 4: 21222324", "port 2: 3132", "memory 0: 0102030405060708"], _writes);
        Assert.Equal(4u, _header->first);
        Assert.Equal(0u, Drain());
    }

    [Fact]
    public void A_full_one_is_drained_around_its_end()
    {
        _header->first = _header->last = Capacity - 3;
        for (uint i = 0; i < Capacity - 1; i++)
            Queue(pio: true, Port, (byte)i);

        Assert.Equal(Capacity - 1, Drain());
        Assert.Equal(Enumerable.Range(0, (int)Capacity - 1).Select(i => $"port 0: {i:X2}"), _writes);
        Assert.Equal(_header->last, _header->first);
        Assert.Equal(Capacity - 4, _header->first);
    }

    [Fact]
    public void An_entry_is_free_again_once_its_device_has_it()
    {
        List<uint> first = [];
        _onPorts.OnWrite = () => first.Add(_header->first);
        for (byte i = 0; i < 3; i++)
            Queue(pio: true, Port, i);

        Drain();

        Assert.Equal([0u, 1u, 2u], first); // never before
        Assert.Equal(3u, _header->first);
    }

    [Fact]
    public void What_is_queued_meanwhile_is_drained_too()
    {
        int more = 3;
        _onPorts.OnWrite = () =>
        {
            if (more-- > 0)
                Queue(pio: true, Port, 0xaa);
        };
        Queue(pio: true, Port, 0x01);

        Assert.Equal(4u, Drain());
        Assert.Equal(["port 0: 01", "port 0: AA", "port 0: AA", "port 0: AA"], _writes);
    }

    [Theory]
    [InlineData(170, 0)]
    [InlineData(0, 170)]
    [InlineData(171, 170)]
    [InlineData(uint.MaxValue, 3)]
    [InlineData(3, uint.MaxValue)]
    [InlineData(0x8000_0000, 0x8000_0001)]
    public void Indices_outside_of_the_page_give_nothing_and_are_left_alone(uint first, uint last)
    {
        Assert.True(Math.Max(first, last) >= Capacity);
        _header->first = first;
        _header->last = last;

        Assert.Equal(0u, Drain());
        Assert.Empty(_writes);
        Assert.Equal((first, last), (_header->first, _header->last));
    }

    [Fact]
    public void An_index_that_leaves_the_page_meanwhile_ends_it()
    {
        _onPorts.OnWrite = () => _header->last = 4_000_000_000;
        Queue(pio: true, Port, 0x01);

        Assert.Equal(1u, Drain());
    }

    [Theory]
    [InlineData(0u, "memory 0: 01")]
    [InlineData(9u, "memory 0: 0102030405060708")]
    [InlineData(uint.MaxValue, "memory 0: 0102030405060708")]
    public void A_length_that_no_write_has_stays_inside_its_entry(uint length, string written)
    {
        Queue(pio: false, Address, 1, 2, 3, 4, 5, 6, 7, 8);
        Entry(0)->len = length;

        Assert.Equal(1u, Drain());
        Assert.Equal(written, Assert.Single(_writes));
    }

    [Fact]
    public void A_write_that_no_device_claims_goes_nowhere()
    {
        Queue(pio: true, 0x1_0000_0000, 1);
        Queue(pio: true, (ulong)Port + 15, 1, 2);
        Queue(pio: false, ulong.MaxValue, 1, 2);

        Assert.Equal(3u, Drain());
        Assert.Empty(_writes);
    }

    [Fact]
    public void It_allocates_nothing()
    {
        Bus ports = new("port", 0xffff);
        ports.Add(new Silent(), "silent", Port, 1);
        Queue(pio: true, Port, 1);
        _ring.Drain(ports, _memory);
        for (int i = 0; i < 100; i++)
            Queue(pio: true, Port, 1);
        long before = GC.GetAllocatedBytesForCurrentThread();

        uint drained = _ring.Drain(ports, _memory);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(100u, drained);
    }

    private uint Drain() => _ring.Drain(_ports, _memory);

    private kvm_coalesced_mmio* Entry(uint index) => (kvm_coalesced_mmio*)(_header + 1) + index;

    /// <summary>As the kernel does it: the entry first, then the index.</summary>
    private void Queue(bool pio, ulong address, params ReadOnlySpan<byte> data)
    {
        kvm_coalesced_mmio* entry = Entry(_header->last);
        *entry = new() { phys_addr = address, len = (uint)data.Length, pio = pio ? 1u : 0u };
        data.CopyTo(new Span<byte>(entry->data, 8));
        _header->last = (_header->last + 1) % Capacity;
    }

    private sealed class Recorder(string name) : IBusDevice
    {
        public List<string> Writes { get; set; } = [];

        public Action? OnWrite { get; set; }

        public void Read(ulong offset, Span<byte> data) => Assert.Fail("the ring holds no reads");

        public void Write(ulong offset, ReadOnlySpan<byte> data)
        {
            Writes.Add($"{name} {offset}: {Convert.ToHexString(data)}");
            OnWrite?.Invoke();
        }
    }

    private sealed class Silent : IBusDevice
    {
        public void Read(ulong offset, Span<byte> data)
        {
        }

        public void Write(ulong offset, ReadOnlySpan<byte> data)
        {
        }
    }
}
