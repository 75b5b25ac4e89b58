using System.Buffers.Binary;
using MiniVmm.Passthrough;
using MiniVmm.Pci;
using MiniVmm.Tests.Pci;

namespace MiniVmm.Tests.Passthrough;

/// <summary>A made-up device on the guest's bus: header, BARs, and the three kinds of interrupt.</summary>
public sealed class PassthroughFunctionTests : IDisposable
{
    private const ulong BarAddress = 0xc000_0000;
    private const int Msi = 0x40;
    private const int Msix = 0x60;
    private const int IntxAssert = 7;
    private const int IntxEnded = 8;
    private readonly FakeVfio _kernel = new();
    private readonly FakeVfioDevice _fake;
    private readonly VfioContainer _container;
    private readonly VfioDevice _device;
    private readonly PassthroughFunction _function;
    private readonly List<FakeMessageLine> _lines = [];
    private readonly List<string> _warnings = [];
    private readonly ShownBarTarget _target = new();

    public PassthroughFunctionTests()
    {
        // 64-bit BAR; MSI with masks, up to 4 vectors; MSI-X with 8 at 0x2000 and its pending bits at 0x3000.
        DeviceSpace space = new DeviceSpace().Add(Msi, 0x05, 0x84, 0x01).AddMsix(Msix, vectors: 8, table: 0x2000, pending: 0x3000);
        space.Bytes[0x10] = 0x04;
        space.Bytes[0x2c] = 0x34;
        _fake = new FakeVfioDevice("0000:01:00.0", 2) { Space = space.Bytes, MostVectors = 6 };
        _kernel.Devices.Add(_fake);
        _container = new VfioContainer(_kernel);
        _device = _container.Add(2).Open(new(0, 1, 0, 0));
        PciDecoding decoding = new(new PciWindows(new(0xc000, 0x4000), new(BarAddress, 0x1000_0000), new(1UL << 35, 1UL << 35)));
        _function = new PassthroughFunction("vfio0", _device, new()
        {
            Decoding = decoding,
            ShowBar = _target.Show,
            MakeLine = () =>
            {
                _lines.Add(new FakeMessageLine());
                return (_lines[^1], 100 + _lines.Count);
            },
            IntxAssert = IntxAssert,
            IntxEnded = IntxEnded,
            IsaLine = 5,
            Warn = _warnings.Add,
        });
    }

    public void Dispose()
    {
        _function.Dispose();
        _device.Dispose();
        _container.Dispose();
    }

    [Fact]
    public void The_guest_sees_the_devices_identity_and_its_list_of_capabilities()
    {
        Assert.Equal(0x0010_1b36u, Read32(0x00));
        Assert.Equal(0x0108_0202u, Read32(0x08));
        Assert.Equal(0x34u, Read32(0x2c));
        Assert.Equal((uint)Msi, Read32(0x34));
        Assert.Equal(0x0010_0000u, Read32(0x04));
        Assert.Equal(0x0105u, Read32(0x3c) & 0xffff);
    }

    [Fact]
    public void A_BAR_is_sized_assigned_and_shown_without_MSI_X_pages()
    {
        Write32(0x10, uint.MaxValue);
        Assert.Equal(0xffff_c004u, Read32(0x10));

        _function.Header.Assign(Assert.Single(_function.Header.Bars), BarAddress);
        Write32(0x04, 0x0002);

        Assert.Equal(BarAddress, _target.MappedAt);
        Assert.Equal([new(0, 0x2000)], _target.Bar!.Mapped);
        Write32(0x04, 0);
        Assert.Null(_target.MappedAt);
    }

    [Fact]
    public void The_device_decodes_all_the_time_and_does_DMA_when_the_guest_says_so()
    {
        Assert.Equal(0x03, _fake.Space[4]);

        Write32(0x04, 0x0404);
        Assert.Equal([0x07, 0x04], _fake.Space[4..6]);

        Write32(0x04, 0);
        Assert.Equal([0x03, 0x00], _fake.Space[4..6]);
    }

    [Fact]
    public void It_begins_with_INTx_which_the_guests_end_of_interrupt_unmasks() =>
        Assert.Equal(["irq 0 0: 7", "unmask 0 0: 8"], _fake.Log);

    [Fact]
    public void MSI_X_takes_the_place_of_INTx_and_gives_it_back()
    {
        _fake.Log.Clear();

        Write16(Msix + 2, 0x8000);
        Write16(Msix + 2, 0);

        // The host has six vectors for the eight; the lines of MSI come behind those of MSI-X.
        Assert.Equal(
            ["irq 0 off", "irq 2 0: 101 102 103 104 105 106", "irq 2 off", "irq 0 0: 7", "unmask 0 0: 8"], _fake.Log);
        Assert.Equal(["the host has 6 interrupt vectors for it, and not 8"], _warnings);
    }

    [Fact]
    public void A_vector_is_connected_as_the_guests_table_says_and_pending_while_it_is_masked()
    {
        Write16(Msix + 2, 0x8000);
        WriteBar(0x2010, 0xfee0_1000);
        WriteBar(0x2014, 0);
        WriteBar(0x2018, 0x31);
        _lines[1].Trigger();
        Assert.Equal(2u, ReadBar(0x3000));

        WriteBar(0x201c, 0);

        Assert.Equal([(0xfee0_1000ul, 0x31u)], _lines[1].Sent);
        Assert.Equal(0u, ReadBar(0x3000));
        Assert.Equal(0xfee0_1000u, ReadBar(0x2010));
        Assert.All(_fake.Bar[0x2000..0x2080], value => Assert.Equal(0, value));
    }

    [Fact]
    public void Registers_beside_the_table_are_the_devices()
    {
        _fake.Bar[0x2080] = 0x5a;

        Assert.Equal(0x5au, ReadBar(0x2080));
        WriteBar(0x20f0, 0x1234);
        Assert.Equal(0x1234, BinaryPrimitives.ReadUInt16LittleEndian(_fake.Bar.AsSpan(0x20f0)));
    }

    [Fact]
    public void Writes_to_the_pending_bits_reach_nobody()
    {
        WriteBar(0x3000, uint.MaxValue);

        Assert.Equal(0, _fake.Bar[0x3000]);
    }

    [Fact]
    public void MSI_has_as_many_vectors_as_the_guest_allows_each_with_its_number_in_the_data()
    {
        _fake.Log.Clear();
        Write32(Msi + 4, 0xfee0_2000);
        Write16(Msi + 12, 0x41);
        Write32(Msi + 16, 0b0010);
        Write16(Msi + 2, 0x0011); // two, on

        FakeMessageLine[] lines = [.. _lines[8..]];
        Assert.Equal(["irq 0 off", "irq 1 0: 109 110"], _fake.Log);
        lines[0].Trigger();
        lines[1].Trigger();
        Assert.Equal([(0xfee0_2000ul, 0x40u)], lines[0].Sent);
        Assert.Equal(2u, Read32(Msi + 20));

        Write32(Msi + 16, 0);
        Assert.Equal([(0xfee0_2000ul, 0x41u)], lines[1].Sent);
        Assert.False(lines[2].IsConnected);

        Write16(Msi + 2, 0);
        Assert.All(lines, line => Assert.False(line.IsConnected));
        Assert.Equal("unmask 0 0: 8", _fake.Log[^1]);
    }

    [Fact]
    public void MSI_X_goes_before_MSI_where_a_guest_switches_both_on()
    {
        Write16(Msi + 2, 1);
        Write16(Msix + 2, 0x8000);

        Assert.All(_lines[8..], line => Assert.False(line.IsConnected));
        Assert.StartsWith("irq 2 0: ", _fake.Log[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void At_the_end_the_device_raises_no_interrupts_any_more()
    {
        _function.Dispose();

        Assert.Equal("irq 0 off", _fake.Log[^1]);
    }

    private uint Read32(int register)
    {
        Span<byte> data = stackalloc byte[4];
        _function.ReadConfiguration(register, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private void Write32(int register, uint value)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        _function.WriteConfiguration(register, data);
    }

    private void Write16(int register, ushort value)
    {
        Span<byte> data = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(data, value);
        _function.WriteConfiguration(register, data);
    }

    private uint ReadBar(ulong offset)
    {
        Span<byte> data = stackalloc byte[4];
        _target.Bar!.Window.Read(offset, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private void WriteBar(ulong offset, uint value)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        _target.Bar!.Window.Write(offset, data);
    }

    private sealed class ShownBarTarget : IPciBarTarget
    {
        public ShownBar? Bar { get; private set; }

        public ulong? MappedAt { get; private set; }

        public ShownBarTarget Show(ShownBar bar)
        {
            Bar = bar;
            return this;
        }

        public void Map(ulong address) => MappedAt = address;

        public void Unmap(ulong address) => MappedAt = null;
    }
}
