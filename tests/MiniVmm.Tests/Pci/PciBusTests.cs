using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Pci;

/// <summary>Functions on the bus: where they are found, and what they decode.</summary>
public sealed class PciBusTests
{
    private const ulong Window = MemoryLayout.PciMemory;
    private const ushort MemoryOn = 0x2;
    private readonly PciDecoding _decoding = new(PciWindows.Above(MemoryLayout.GiB));
    private readonly PciBus _bus;

    public PciBusTests() => _bus = new(_decoding);

    [Fact]
    public void Both_mechanisms_show_the_same()
    {
        _bus.Add(PciHostBridge.Slot, PciHostBridge.Create(_decoding));
        _bus.Add(new(1, 0), Endpoint(new FakeTarget()));
        _bus.Add(new(3, 2), Endpoint(new FakeTarget()));
        PciConfiguration ports = new(new RecordingPower(), _bus);
        PciEcam memory = new(_bus);
        byte[] first = new byte[4];
        byte[] second = new byte[4];
        for (uint function = 0; function < 256; function++)
        {
            for (uint register = 0; register < 256; register += 4)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(first, 0x8000_0000 | (function << 8) | register);
                ports.Write(0, first);
                for (int width = 1; width <= 4; width *= 2)
                {
                    for (int lane = 0; lane < 4; lane += width)
                    {
                        first.AsSpan().Clear();
                        second.AsSpan().Clear();
                        ports.Read(4 + (ulong)lane, first.AsSpan(0, width));
                        memory.Read((function << 12) + register + (ulong)lane, second.AsSpan(0, width));
                        Assert.Equal(first, second);
                    }
                }
            }
        }
    }

    [Fact]
    public void Eight_bytes_of_ECAM_are_two_doublewords()
    {
        _bus.Add(default, PciHostBridge.Create(_decoding));
        byte[] data = new byte[8];
        new PciEcam(_bus).Read(0, data);
        Assert.Equal(0x0008_1b36u, BinaryPrimitives.ReadUInt32LittleEndian(data));
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(4)));
    }

    [Fact]
    public void Function_0_says_that_there_are_others()
    {
        _bus.Add(new(1, 0), Endpoint(new FakeTarget()));
        Assert.Equal(0, Of(1, 0).Read8(0x0e));

        _bus.Add(new(1, 3), Endpoint(new FakeTarget()));
        Assert.Equal(0x80, Of(1, 0).Read8(0x0e));
        Assert.Equal(0x80u, Of(1, 0).Read32(0x0c) >> 16);
        Assert.Equal("two: 00:01.3 is one's", Assert.Throws<ArgumentException>(
            () => Twice()).Message.Split(" (")[0]);

        void Twice()
        {
            PciBus bus = new(_decoding);
            bus.Add(new(1, 3), new PciEndpoint("one", default, _decoding));
            bus.Add(new(1, 3), new PciEndpoint("two", default, _decoding));
        }
    }

    [Theory]
    [InlineData(0, "00:01.0")]
    [InlineData(30, "00:1f.0")]
    [InlineData(31, "00:01.1")]
    [InlineData(247, "00:1f.7")]
    public void Devices_come_first_and_then_functions_of_them(int index, string place) =>
        Assert.Equal(place, PciSlot.Of(index).ToString());

    [Fact]
    public void More_functions_than_a_bus_has_are_refused() => Assert.Equal(
        "249 PCI functions: a bus has room for 248", Assert.Throws<BadInputException>(() => PciSlot.Of(248)).Message);

    [Theory]
    [InlineData(0x1000UL, 0x0u)]
    [InlineData(0x4000UL, 0x4u)]
    [InlineData(0x2_0000_0000UL, 0xcu)]
    public void A_BAR_is_sized_by_writing_ones(ulong size, uint flags)
    {
        PciBarKind kind = (PciBarKind)flags;
        _bus.Add(new(1, 0), new PciEndpoint("device", default, _decoding, new PciBar(2, kind, size, new FakeTarget())));
        PciSpace space = Of(1, 0);

        Assert.Equal(flags, space.Read32(0x18) & 0xf);
        Assert.Equal(size, space.SizeOf(2, kind != PciBarKind.Memory32));
    }

    [Fact]
    public void A_BAR_of_ports_tells_its_size_in_32_bits_as_SeaBIOS_asks_for()
    {
        FakeTarget target = new();
        _bus.Add(new(1, 0), new PciEndpoint("device", default, _decoding, new PciBar(0, PciBarKind.Ports, 0x20, target)));
        PciSpace space = Of(1, 0);
        space.Write32(0x10, uint.MaxValue);
        Assert.Equal(0xffff_ffe1u, space.Read32(0x10));

        space.Write32(0x10, 0xc020);
        space.Write16(4, MemoryOn); // of which it has none
        Assert.Equal((0, (ulong?)null), (space.Read16(4), target.At));
        space.Write16(4, 0x1);
        Assert.Equal(0xc020UL, target.At);
    }

    [Fact]
    public void A_BAR_is_decoded_where_it_is_put_as_long_as_the_command_register_says_so()
    {
        FakeTarget target = new();
        _bus.Add(new(1, 0), Endpoint(target));
        PciSpace space = Of(1, 0);
        space.Write32(0x10, (uint)Window + 0x5000);
        Assert.Empty(target.Calls);

        space.Write16(4, MemoryOn);
        space.Write32(0x10, (uint)Window + 0x1_0000);
        space.Write8(4, 0);
        Assert.Equal(["map 0xc0005000", "unmap 0xc0005000", "map 0xc0010000", "unmap 0xc0010000"], target.Calls);
    }

    [Theory]
    [InlineData(0x0000_0000u)]
    [InlineData(0x0010_0000u)] // RAM
    [InlineData(0xfec0_0000u)] // the I/O APIC
    [InlineData(0xd000_0000u)] // virtio-mmio
    [InlineData(0xffff_f000u)] // while it is being sized
    public void Outside_of_the_bridges_windows_nothing_is_decoded(uint address)
    {
        FakeTarget target = new();
        _bus.Add(new(1, 0), Endpoint(target));
        PciSpace space = Of(1, 0);
        space.Write16(4, MemoryOn);
        space.Write32(0x10, address);

        Assert.Equal(address, space.Read32(0x10));
        Assert.Null(target.At);
    }

    [Fact]
    public void Of_two_at_one_place_the_first_decodes_and_then_the_other()
    {
        FakeTarget first = new();
        FakeTarget second = new();
        _bus.Add(new(1, 0), Endpoint(first));
        _bus.Add(new(2, 0), Endpoint(second));
        foreach (int device in (int[])[1, 2])
        {
            Of(device, 0).Write32(0x10, (uint)Window);
            Of(device, 0).Write16(4, MemoryOn);
        }

        Assert.Equal((Window, null), (first.At, second.At));
        Of(1, 0).Write32(0x10, (uint)Window + 0x8000);
        Assert.Equal((Window + 0x8000, Window), (first.At, second.At));
    }

    [Fact]
    public void A_function_may_move_to_where_another_of_its_BARs_was()
    {
        FakeTarget first = new();
        FakeTarget second = new();
        PciEndpoint both = new(
            "both",
            default,
            _decoding,
            new PciBar(0, PciBarKind.Memory32, 0x1000, first),
            new PciBar(1, PciBarKind.Memory32, 0x1000, second));
        _bus.Add(new(1, 0), both);
        PciSpace space = Of(1, 0);
        space.Write16(4, MemoryOn);
        space.Write32(0x10, (uint)Window);
        space.Write32(0x14, (uint)Window); // nobody's while the other is there
        space.Write32(0x10, (uint)Window + 0x1000);

        Assert.Equal((Window + 0x1000, Window), (first.At, second.At));
    }

    [Fact]
    public void Two_functions_that_changed_places_are_decoded_there_after_a_restore()
    {
        (PciEndpoint[] saved, _) = Pair();
        Place(saved[0], Window + 0x8000);
        Place(saved[1], Window);
        Place(saved[0], Window + 0x1000);

        (PciEndpoint[] restored, FakeTarget[] targets) = Pair();
        foreach ((PciEndpoint from, PciEndpoint to) in saved.Zip(restored))
            StateReader.Restore(to, StateWriter.Save(from));

        Assert.Equal([Window + 0x1000, Window], targets.Select(target => target.At));
    }

    [Fact]
    public void Of_two_at_one_place_the_same_one_decodes_after_a_restore_and_the_other_once_that_moves()
    {
        (PciEndpoint[] saved, _) = Pair();
        Place(saved[0], Window + 0x1000); // the other's

        PciBus bus = new(new(_decoding.Windows));
        (PciEndpoint[] restored, FakeTarget[] targets) = Pair(bus);
        foreach ((PciEndpoint from, PciEndpoint to) in saved.Zip(restored))
            StateReader.Restore(to, StateWriter.Save(from));
        Assert.Equal([null, Window + 0x1000], targets.Select(target => target.At));

        new PciSpace(bus, new PciSlot(2, 0).Number).Write32(0x10, (uint)Window + 0x8000);
        Assert.Equal([Window + 0x1000, Window + 0x8000], targets.Select(target => target.At));
    }

    [Fact]
    public void Whatever_a_guest_writes_no_two_BARs_overlap_or_leave_the_windows()
    {
        Random random = new(1);
        List<(FakeTarget Target, ulong Size)> all = [];
        for (int device = 0; device < 6; device++)
        {
            FakeTarget small = new();
            FakeTarget large = new();
            all.Add((small, 0x1000));
            all.Add((large, 0x10_0000));
            PciEndpoint endpoint = new(
                $"device {device}",
                default,
                _decoding,
                new PciBar(0, PciBarKind.Memory32, 0x1000, small),
                new PciBar(2, PciBarKind.Memory64, 0x10_0000, large));
            endpoint.Add(new MsixCapability(new MsixTable([new FakeMessageLine()]), 0));
            _bus.Add(new(device, 0), endpoint);
        }

        for (int step = 0; step < 20_000; step++)
        {
            PciSpace space = Of(random.Next(6), 0);
            int register = random.Next(3) switch { 0 => 4, 1 => 0x10 + (4 * random.Next(6)), _ => random.Next(64) * 4 };
            uint value = random.Next(3) switch
            {
                0 => (uint)random.NextInt64(),
                1 => uint.MaxValue,
                _ => (uint)Window + ((uint)random.Next(0x40) << 12),
            };
            switch (random.Next(3))
            {
                case 0:
                    space.Write8(register + random.Next(4), (byte)value);
                    break;
                case 1:
                    space.Write16(register + (2 * random.Next(2)), (ushort)value);
                    break;
                default:
                    space.Write32(register, value);
                    break;
            }

            GuestRange[] decoded =
                [.. all.Where(each => each.Target.At is not null).Select(each => new GuestRange(each.Target.At!.Value, each.Size))];
            for (int i = 0; i < decoded.Length; i++)
            {
                Assert.True(
                    _decoding.Windows.Memory.Contains(decoded[i].Start, decoded[i].Length)
                    || _decoding.Windows.HighMemory.Contains(decoded[i].Start, decoded[i].Length));
                Assert.DoesNotContain(decoded[(i + 1)..], other => other.Overlaps(decoded[i]));
            }
        }

        Assert.Contains(all, each => each.Target.Calls.Count > 2);
    }

    [Fact]
    public void Beyond_256_bytes_there_is_nothing()
    {
        _bus.Add(new(1, 0), Endpoint(new FakeTarget()));
        Assert.Equal(uint.MaxValue, Of(1, 0).Read32(0x100));
        Of(1, 0).Write32(0xffc, 0);
    }

    /// <summary>Two functions, assigned the window's first two pages.</summary>
    private static (PciEndpoint[] Functions, FakeTarget[] Targets) Pair(PciBus? bus = null)
    {
        bus ??= new(new(PciWindows.Above(MemoryLayout.GiB)));
        FakeTarget[] targets = [new(), new()];
        PciEndpoint[] pair =
            [.. targets.Select(target => new PciEndpoint("device", default, bus.Decoding, new PciBar(0, PciBarKind.Memory32, 0x1000, target)))];
        for (int i = 0; i < pair.Length; i++)
            bus.Add(new(i + 1, 0), pair[i]);
        PciAssignment.Assign(bus.Decoding.Windows, pair);
        return (pair, targets);
    }

    private static void Place(PciEndpoint function, ulong address) => function.WriteConfiguration(0x10, BitConverter.GetBytes((uint)address));

    private PciSpace Of(int device, int function) => new(_bus, new PciSlot(device, function).Number);

    private PciEndpoint Endpoint(FakeTarget target) =>
        new("device", new(0x1234, 0x5678, 0xff0000), _decoding, new PciBar(0, PciBarKind.Memory32, 0x1000, target));
}
