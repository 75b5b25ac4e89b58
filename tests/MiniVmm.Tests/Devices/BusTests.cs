using CsCheck;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Devices;

public sealed class BusTests
{
    private sealed class Probe : IBusDevice
    {
        public List<(ulong Offset, int Length, bool Write)> Accesses { get; } = [];

        public void Read(ulong offset, Span<byte> data)
        {
            Accesses.Add((offset, data.Length, false));
            data.Fill(0x42);
        }

        public void Write(ulong offset, ReadOnlySpan<byte> data) => Accesses.Add((offset, data.Length, true));
    }

    [Fact]
    public void A_device_sees_offsets_into_its_window_from_the_first_byte_to_the_last()
    {
        Probe probe = new();
        Bus bus = new("port", 0xffff);
        bus.Add(probe, "probe", 0x100, 8);

        Assert.True(bus.Read(0x100, new byte[1]));
        Assert.True(bus.Read(0x107, new byte[1]));
        Assert.True(bus.Write(0x104, new byte[4]));
        Assert.Equal([(0UL, 1, false), (7UL, 1, false), (4UL, 4, true)], probe.Accesses);
    }

    [Theory]
    [InlineData(0xff, 1)]
    [InlineData(0xff, 2)]
    [InlineData(0x108, 1)]
    [InlineData(0x107, 2)]
    [InlineData(0x105, 4)]
    [InlineData(ulong.MaxValue, 1)]
    [InlineData(ulong.MaxValue, 8)]
    [InlineData(0, 8)]
    public void An_access_that_no_device_claims_whole_reads_all_ones_and_writes_nowhere(ulong address, int width)
    {
        Probe probe = new();
        Bus bus = new("port", 0xffff);
        bus.Add(probe, "probe", 0x100, 8);
        byte[] data = new byte[width];

        Assert.False(bus.Read(address, data));
        Assert.All(data, value => Assert.Equal(0xff, value));
        Assert.False(bus.Write(address, data));
        Assert.Empty(probe.Accesses);
    }

    [Fact]
    public void A_window_that_was_removed_is_nobodys_also_for_who_used_it_last()
    {
        Probe probe = new();
        Bus bus = new("port", 0xffff);
        bus.Add(probe, "probe", 0x100, 8);
        bus.Read(0x100, new byte[1]);

        bus.Remove(0x100);

        Assert.False(bus.Read(0x100, new byte[1]));
        Assert.Single(probe.Accesses);
        Assert.Empty(bus.Windows);
        bus.Add(probe, "probe", 0xfc, 8); // across where it was
        Assert.True(bus.Write(0x103, new byte[1]));
    }

    [Fact]
    public void A_window_that_came_is_seen_by_who_used_the_gap_last()
    {
        Probe probe = new();
        Bus bus = new("memory", ulong.MaxValue);
        Assert.False(bus.Read(0, new byte[1]));

        bus.Add(probe, "probe", 0, 1);

        Assert.True(bus.Read(0, new byte[1]));
    }

    [Fact]
    public void A_window_that_moves_takes_its_device_along_and_stays_where_the_new_place_is_taken()
    {
        Probe probe = new();
        Bus bus = new("memory", ulong.MaxValue);
        bus.Add(probe, "probe", 0x1000, 0x100);
        bus.Add(new Probe(), "other", 0x3000, 0x100);

        bus.Move(0x1000, 0x1080);
        Assert.True(bus.Read(0x1084, new byte[4]));
        Assert.Equal([(4UL, 4, false)], probe.Accesses);
        Assert.False(bus.Read(0x1000, new byte[4]));

        Assert.Throws<ArgumentException>(() => bus.Move(0x1080, 0x30f0));
        Assert.True(bus.Read(0x1080, new byte[4]));
        Assert.Throws<ArgumentException>(() => bus.Move(0x1000, 0x2000));
        Assert.Throws<ArgumentException>(() => bus.Remove(0x1000));
    }

    [Fact]
    public void Windows_that_come_and_go_leave_the_bus_as_a_list_of_them_would()
    {
        Gen<(int Start, int Length, bool Add)[]> changes =
            Gen.Select(Gen.Int[0, 60], Gen.Int[1, 12], Gen.Bool, (start, length, add) => (start, length, add)).Array[1, 40];
        changes.Sample(steps =>
        {
            Bus bus = new("port", 63);
            Dictionary<int, (int Length, Probe Probe)> expected = [];
            foreach ((int start, int length, bool add) in steps)
            {
                bool fits = start + length <= 64
                    && expected.All(window => start + length <= window.Key || window.Key + window.Value.Length <= start);
                if (!add)
                {
                    if (expected.Remove(start))
                        bus.Remove((ulong)start);
                }
                else if (fits)
                {
                    Probe probe = new();
                    bus.Add(probe, "probe", (ulong)start, (ulong)length);
                    expected.Add(start, (length, probe));
                }

                for (int address = 0; address < 64; address++)
                {
                    bool claimed = expected.Any(
                        window => address >= window.Key && address < window.Key + window.Value.Length);
                    Assert.Equal(claimed, bus.Read((ulong)address, new byte[1]));
                }
            }
        });
    }

    [Fact]
    public void An_access_across_two_adjacent_devices_is_nobodys()
    {
        Bus bus = new("port", 0xffff);
        Probe low = new();
        Probe high = new();
        bus.Add(high, "high", 0x108, 8);
        bus.Add(low, "low", 0x100, 8);

        Assert.False(bus.Read(0x107, new byte[2]));
        Assert.True(bus.Read(0x106, new byte[2]));
        Assert.True(bus.Read(0x108, new byte[2]));
        Assert.Equal([(6UL, 2, false)], low.Accesses);
        Assert.Equal([(0UL, 2, false)], high.Accesses);
    }

    [Theory]
    [InlineData(0x100, 8)]
    [InlineData(0xff, 2)]
    [InlineData(0x107, 1)]
    [InlineData(0x107, 100)]
    [InlineData(0, 0xffff)]
    [InlineData(0x104, 2)]
    public void A_window_that_overlaps_anothers_is_refused_with_both_names(ulong start, ulong length)
    {
        Bus bus = new("port", 0xffff);
        bus.Add(new Probe(), "first", 0x100, 8);
        bus.Add(new Probe(), "far", 0x10000 - 1, 1);

        string message = Assert.Throws<ArgumentException>(() => bus.Add(new Probe(), "second", start, length)).Message;

        Assert.Contains("second", message, StringComparison.Ordinal);
        Assert.Contains("first", message, StringComparison.Ordinal);
        Assert.Equal([new GuestRange(0x100, 8), new GuestRange(0xffff, 1)], bus.Windows.Select(window => window.Range));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0x10000, 1)]
    [InlineData(0xffff, 2)]
    [InlineData(1, 0x10000)]
    [InlineData(1, ulong.MaxValue)]
    [InlineData(ulong.MaxValue, ulong.MaxValue)]
    public void A_window_that_is_empty_or_leaves_the_bus_is_refused(ulong start, ulong length)
    {
        string message = Assert.Throws<ArgumentException>(
            () => new Bus("port", 0xffff).Add(new Probe(), "probe", start, length)).Message;

        Assert.Contains("do not fit the port bus", message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_last_bytes_of_a_64_bit_bus_but_one_can_be_claimed_once()
    {
        Bus bus = new("memory", ulong.MaxValue);
        Probe probe = new();
        bus.Add(probe, "probe", ulong.MaxValue - 8, 8);

        Assert.Throws<ArgumentException>(() => bus.Add(new Probe(), "again", ulong.MaxValue - 8, 8));
        Assert.Throws<ArgumentException>(() => bus.Add(new Probe(), "inside", ulong.MaxValue - 1, 1));
        Assert.Throws<ArgumentException>(() => bus.Add(new Probe(), "behind", ulong.MaxValue, 1));
        Assert.True(bus.Read(ulong.MaxValue - 1, new byte[1]));
        Assert.False(bus.Read(ulong.MaxValue - 1, new byte[2]));
        Assert.False(bus.Read(ulong.MaxValue, new byte[1]));
        Assert.Equal([(7UL, 1, false)], probe.Accesses);
    }

    [Fact]
    public void An_empty_bus_claims_nothing() => Assert.False(new Bus("port", 0xffff).Write(0, new byte[1]));

    [Fact]
    public void Windows_are_claimed_and_found_as_in_a_map_with_a_line_for_each_address() =>
        Gen.Select(Gen.ULong[0, 70], Gen.ULong[0, 12]).Array[0, 20].Sample(
            windows =>
            {
                const ulong limit = 63;
                Bus bus = new("port", limit);
                (Probe Device, ulong Start)?[] owners = new (Probe, ulong)?[limit + 9];
                foreach ((ulong start, ulong length) in windows)
                {
                    Probe probe = new();
                    bool free = length > 0 && start + length <= limit + 1
                        && !owners.AsSpan((int)start, (int)length).ToArray().Any(owner => owner is not null);
                    if (!free)
                    {
                        Assert.Throws<ArgumentException>(() => bus.Add(probe, "probe", start, length));
                        continue;
                    }

                    bus.Add(probe, "probe", start, length);
                    owners.AsSpan((int)start, (int)length).Fill((probe, start));
                }

                foreach (int width in (int[])[1, 2, 4, 8])
                {
                    for (int address = 0; address <= (int)limit; address++)
                    {
                        (Probe Device, ulong Start)?[] touched = owners[address..(address + width)];
                        bool claimed = touched[0] is not null && touched.Distinct().Count() == 1;
                        Assert.Equal(claimed, bus.Read((ulong)address, new byte[width]));
                        if (touched[0] is { } owner && claimed)
                            Assert.Equal(((ulong)address - owner.Start, width, false), owner.Device.Accesses[^1]);
                    }
                }
            },
            iter: 200, threads: 1);
}
