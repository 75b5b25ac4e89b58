using System.Runtime.InteropServices;
using CsCheck;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Memory;

public sealed unsafe class GuestMemoryTests : IDisposable
{
    private const ulong Start = 0x1000;
    private readonly List<nint> _allocated = [];

    /// <summary>
    /// Slots of up to 15 bytes with holes of up to 3: at the bottom, amid and at the top of the address space.
    /// </summary>
    private static readonly Gen<GuestRange[]> Layouts = Gen.Select(
        Gen.Select(Gen.ULong[0, 3], Gen.ULong[1, 15]).Array[1, 5],
        Gen.OneOf(Gen.Const(0UL), Gen.Const(Start), Gen.Const(ulong.MaxValue))).Select((parts, origin) =>
        {
            ulong total = parts.Aggregate(0UL, (sum, part) => sum + part.Item1 + part.Item2);
            ulong at = origin == ulong.MaxValue ? origin - total : origin;
            List<GuestRange> ranges = [];
            foreach ((ulong hole, ulong length) in parts)
            {
                ranges.Add(new(at + hole, length));
                at += hole + length;
            }

            return ranges.ToArray();
        });

    public void Dispose()
    {
        foreach (nint memory in _allocated)
            NativeMemory.Free((void*)memory);
    }

    [Fact]
    public void An_access_resolves_exactly_where_all_its_bytes_lie_in_one_slot() =>
        Gen.Select(Layouts, Gen.Int[-4, 80], Gen.OneOf(Gen.ULong[0, 20], Gen.Const(ulong.MaxValue), Gen.ULong)).Sample(
            (ranges, distance, length) =>
            {
                // The hosts are made up, far apart: nothing is read. In reverse, as order must not matter.
                RamSlot[] slots = [.. ranges.Select((range, i) => new RamSlot(range, (i + 1) * 0x10000)).Reverse()];
                GuestMemory memory = new(slots);
                ulong address = unchecked(ranges[0].Start + (ulong)(long)distance);

                bool found = memory.TryResolve(address, length, out byte* host);

                RamSlot[] holders = [.. slots.Where(slot => Holds(slot.Range, address, length))];
                Assert.Equal(holders.Length > 0, found);
                if (found)
                    Assert.Contains((nint)host, holders.Select(slot => slot.Host + (nint)(address - slot.Range.Start)));
                else
                    Assert.True(host == null);
            },
            iter: 3000, threads: 1);

    [Fact]
    public void What_is_written_is_where_a_model_of_single_bytes_has_it() =>
        Gen.Select(Layouts, Gen.Select(Gen.Int[-4, 80], Gen.Int[0, 3], Gen.ULong).Array[0, 20]).Sample(
            (ranges, writes) =>
            {
                GuestMemory memory = Allocate(ranges);
                Dictionary<ulong, byte> model = [];
                foreach (GuestRange range in ranges)
                {
                    for (ulong i = 0; i < range.Length; i++)
                        model[range.Start + i] = 0;
                }

                foreach ((int distance, int log, ulong value) in writes)
                {
                    ulong address = unchecked(ranges[0].Start + (ulong)(long)distance);
                    bool written = log switch
                    {
                        0 => memory.TryWrite(address, (byte)value),
                        1 => memory.TryWrite(address, (ushort)value),
                        2 => memory.TryWrite(address, (uint)value),
                        _ => memory.TryWrite(address, value),
                    };
                    Assert.Equal(ranges.Any(range => Holds(range, address, 1UL << log)), written);
                    for (int i = 0; written && i < 1 << log; i++)
                        model[address + (ulong)i] = (byte)(value >> (8 * i));
                }

                foreach ((ulong address, byte value) in model)
                {
                    Assert.True(memory.TryRead(address, out byte read));
                    Assert.Equal(value, read);
                }
            },
            iter: 500, threads: 1);

    [Fact]
    public void Values_are_little_endian_at_any_alignment()
    {
        GuestMemory memory = Allocate(new GuestRange(Start, 16));

        Assert.True(memory.TryWrite(Start + 3, 0x1122_3344_5566_7788UL));

        Assert.True(memory.TryRead(Start + 3, out byte low));
        Assert.Equal(0x88, low);
        Assert.True(memory.TryRead(Start + 5, out uint middle));
        Assert.Equal(0x3344_5566u, middle);
    }

    [Fact]
    public void The_last_value_of_a_slot_is_good_and_one_byte_later_is_not()
    {
        GuestMemory memory = Allocate(new GuestRange(Start, 16));

        Assert.True(memory.TryWrite(Start + 8, ulong.MaxValue));
        Assert.True(memory.TryRead(Start + 8, out ulong last));
        Assert.Equal(ulong.MaxValue, last);
        Assert.False(memory.TryWrite(Start + 9, ulong.MaxValue));
        Assert.False(memory.TryRead(Start + 9, out ulong beyond));
        Assert.Equal(0UL, beyond);
        Assert.False(memory.TryRead(Start - 1, out ushort _));
        Assert.False(memory.TryRead(ulong.MaxValue, out ushort _));
    }

    [Fact]
    public void An_access_across_two_adjacent_slots_is_refused_since_their_hosts_need_not_be_adjacent()
    {
        GuestMemory memory = Allocate(new GuestRange(Start, 16), new GuestRange(Start + 16, 16));

        Assert.False(memory.TryRead(Start + 12, out ulong _));
        Assert.True(memory.TryRead(Start + 16, out ulong _));
        Assert.False(memory.TryGetSpan(Start, 32, out _));
    }

    [Fact]
    public void A_span_is_the_bytes_asked_for_and_a_negative_length_gives_none()
    {
        GuestMemory memory = Allocate(new GuestRange(Start, 16));
        Assert.True(memory.TryWrite(Start + 4, (byte)7));

        Assert.True(memory.TryGetSpan(Start + 4, 12, out Span<byte> span));
        Assert.Equal(12, span.Length);
        Assert.Equal(7, span[0]);
        Assert.False(memory.TryGetSpan(Start, -1, out span));
        Assert.True(span.IsEmpty);
        Assert.False(memory.TryGetSpan(Start, int.MinValue, out _));
    }

    [Fact]
    public void Slots_are_listed_ascending()
    {
        GuestMemory memory = new([new(new(0x3000, 1), 3), new(new(0x1000, 1), 1), new(new(0x2000, 1), 2)]);

        Assert.Equal([1, 2, 3], memory.Slots.Select(slot => slot.Host));
    }

    [Theory]
    [InlineData(0x1000, 0, 0x4000, 1)]
    [InlineData(0x1000, 0x1001, 0x2000, 0x1000)]
    [InlineData(0x2000, 0x1000, 0x1000, 0x1001)]
    [InlineData(0x1000, 0x1000, 0x1000, 0x1000)]
    [InlineData(0x1000, 0x9000, 0x2000, 0x1000)]
    [InlineData(0x1000, 0x1000, 0xffff_ffff_ffff_f000, 0x1001)]
    [InlineData(0x1000, 0x1000, 1, ulong.MaxValue)]
    public void A_slot_that_is_empty_wraps_or_overlaps_is_refused(
        ulong start, ulong length, ulong otherStart, ulong otherLength) =>
        Assert.Throws<ArgumentException>(
            () => new GuestMemory([new(new(start, length), 1), new(new(otherStart, otherLength), 2)]));

    [Fact]
    public void No_slots_at_all_hold_nothing() => Assert.False(new GuestMemory([]).TryResolve(0, 0, out _));

    [Fact]
    public void A_segment_is_loaded_and_what_follows_its_data_stays_zero()
    {
        GuestMemory memory = Allocate(new GuestRange(Start, 16));

        memory.Load(new LoadSegment("text", Start + 12, new byte[] { 1, 2 }, 4));

        Assert.True(memory.TryRead(Start + 12, out uint loaded));
        Assert.Equal(0x0201u, loaded);
        Assert.True(memory.TryRead(Start + 8, out uint before));
        Assert.Equal(0u, before);
    }

    [Theory]
    [InlineData(Start + 13, 2, 4)]
    [InlineData(Start - 1, 2, 2)]
    [InlineData(ulong.MaxValue, 1, 2)]
    [InlineData(Start, 1, ulong.MaxValue)]
    [InlineData(Start + 14, 4, 2)]
    public void A_segment_that_leaves_ram_is_refused_and_writes_nothing(ulong address, int data, ulong size)
    {
        // The slot is the first half of what is allocated: bytes behind it would be seen.
        nint host = Zeroed(32);
        GuestMemory memory = new([new(new(Start, 16), host)]);
        byte[] bytes = new byte[data];
        Array.Fill(bytes, (byte)0xee);

        string message =
            Assert.Throws<BadInputException>(() => memory.Load(new LoadSegment("text", address, bytes, size))).Message;

        Assert.StartsWith("text: ", message, StringComparison.Ordinal);
        Assert.Contains($"0x{address:x}", message, StringComparison.Ordinal);
        Assert.Equal(-1, new ReadOnlySpan<byte>((void*)host, 32).IndexOfAnyExcept((byte)0));
    }

    /// <summary>Whether a range holds all the bytes, counted with more bits than an address has.</summary>
    private static bool Holds(GuestRange range, ulong address, ulong length) =>
        address >= range.Start && (UInt128)address + length <= (UInt128)range.Start + range.Length;

    private GuestMemory Allocate(params GuestRange[] ranges) =>
        new(ranges.Select(range => new RamSlot(range, Zeroed(range.Length))));

    private nint Zeroed(ulong length)
    {
        nint memory = (nint)NativeMemory.AllocZeroed((nuint)length);
        _allocated.Add(memory);
        return memory;
    }
}
