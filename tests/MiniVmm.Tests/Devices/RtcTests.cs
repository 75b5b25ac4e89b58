using CsCheck;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Devices;

public sealed class RtcTests
{
    private const byte StatusA = 0x0a;
    private const byte StatusB = 0x0b;
    private const byte Set = 0x80;
    private const byte Binary = 0x04;
    private const byte Hours24 = 0x02;
    private static readonly byte[] TimeRegisters = [0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32];

    /// <summary>A Thursday, the leap day.</summary>
    private readonly ManualTime _time = new(new(2024, 2, 29, 23, 58, 57));
    private readonly Rtc _rtc;

    public RtcTests() => _rtc = new(new GuestMemoryMap(256 * MemoryLayout.MiB), _time);

    [Fact]
    public void At_first_the_clock_shows_host_time_in_BCD_and_24_hours()
    {
        Assert.Equal(0x02, Get(StatusB));
        Assert.Equal(0x26, Get(StatusA));
        Assert.Equal(0x80, Get(0x0d));
        Assert.Equal(0x06, Get(0x14)); // coprocessor and PS/2 mouse, as the BIOS data area's equipment word has them
        Assert.Equal([0x57, 0x58, 0x23, 0x05, 0x29, 0x02, 0x24, 0x20], Show(_rtc));
    }

    [Fact]
    public void It_may_start_with_a_date_of_its_own_and_goes_on_from_there()
    {
        Rtc rtc = new(new GuestMemoryMap(2 * MemoryLayout.MiB), _time, RtcBase.At(new(1999, 12, 31, 23, 59, 59)));
        Assert.Equal([0x59, 0x59, 0x23, 0x06, 0x31, 0x12, 0x99, 0x19], Show(rtc));

        _time.Utc += TimeSpan.FromSeconds(1);

        Assert.Equal([0x00, 0x00, 0x00, 0x07, 0x01, 0x01, 0x00, 0x20], Show(rtc));
    }

    [Fact]
    public void It_may_start_with_the_hosts_local_time()
    {
        _time.Zone = TimeZoneInfo.CreateCustomTimeZone("east", TimeSpan.FromMinutes(345), null, null);

        Rtc rtc = new(new GuestMemoryMap(2 * MemoryLayout.MiB), _time, RtcBase.LocalTime);

        Assert.Equal([0x57, 0x43, 0x05, 0x06, 0x01, 0x03, 0x24, 0x20], Show(rtc));
    }

    [Fact]
    public void A_start_that_the_clock_cannot_show_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => RtcBase.At(new(1, 12, 31)));
        Assert.Throws<ArgumentOutOfRangeException>(() => RtcBase.At(new(9999, 1, 1)));
    }

    [Fact]
    public void In_binary_mode_the_same_time_is_plain_numbers()
    {
        Put(StatusB, Binary | Hours24);

        Assert.Equal([57, 58, 23, 5, 29, 2, 24, 20], Show(_rtc));
    }

    [Theory]
    [InlineData(0, 0x12, 12)]
    [InlineData(1, 0x01, 1)]
    [InlineData(11, 0x11, 11)]
    [InlineData(12, 0x92, 0x8c)]
    [InlineData(13, 0x81, 0x81)]
    [InlineData(23, 0x91, 0x8b)]
    public void In_12_hour_mode_bit_7_says_afternoon(int hour, byte bcd, byte binary)
    {
        _time.Utc = new(2024, 2, 29, hour, 0, 0, DateTimeKind.Utc);

        Put(StatusB, 0);
        Assert.Equal(bcd, Get(4));
        Put(StatusB, Binary);
        Assert.Equal(binary, Get(4));
    }

    [Fact]
    public void The_clock_runs_through_midnight_into_march()
    {
        _time.Utc += TimeSpan.FromSeconds(63);

        Assert.Equal([0x00, 0x00, 0x00, 0x06, 0x01, 0x03, 0x24, 0x20], Show(_rtc));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(9_997_559, false)]
    [InlineData(9_997_560, true)]
    [InlineData(9_999_999, true)]
    public void An_update_is_in_progress_in_the_last_244_microseconds_of_a_second(long ticks, bool updating)
    {
        _time.Utc += TimeSpan.FromTicks(ticks);

        Assert.Equal(updating, (Get(StatusA) & 0x80) != 0);
    }

    [Fact]
    public void In_set_mode_the_clock_stands_and_no_update_is_in_progress()
    {
        Put(StatusB, Set | Hours24);
        byte[] frozen = Show(_rtc);

        _time.Utc += TimeSpan.FromSeconds(70.9999);

        Assert.Equal(frozen, Show(_rtc));
        Assert.Equal(0, Get(StatusA) & 0x80);
    }

    [Fact]
    public void After_set_mode_the_clock_goes_on_from_what_was_set()
    {
        Put(StatusB, Set | Hours24);
        Put(TimeRegisters, [0x59, 0x59, 0x23, 0x06, 0x31, 0x12, 0x99, 0x19]);
        _time.Utc += TimeSpan.FromHours(1);
        Put(StatusB, Hours24);
        Assert.Equal([0x59, 0x59, 0x23, 0x06, 0x31, 0x12, 0x99, 0x19], Show(_rtc));

        _time.Utc += TimeSpan.FromSeconds(1);

        Assert.Equal([0x00, 0x00, 0x00, 0x07, 0x01, 0x01, 0x00, 0x20], Show(_rtc));
    }

    [Theory]
    [InlineData(0x00, 0x60)]
    [InlineData(0x02, 0x99)]
    [InlineData(0x04, 0x24)]
    [InlineData(0x07, 0x30)]
    [InlineData(0x07, 0x00)]
    [InlineData(0x08, 0x13)]
    [InlineData(0x08, 0x00)]
    [InlineData(0x32, 0xff)]
    public void A_date_that_is_none_leaves_the_clock_as_it_was(byte register, byte value)
    {
        byte[] before = Show(_rtc);
        Put(StatusB, Set | Hours24);
        Put(register, value);

        Put(StatusB, Hours24);

        Assert.Equal(before, Show(_rtc));
    }

    [Fact]
    public void A_running_clock_can_be_set_a_register_at_a_time()
    {
        Put(0x02, 0x30);
        Put(0x09, 0x28);

        Assert.Equal([0x57, 0x30, 0x23, 0x03, 0x29, 0x02, 0x28, 0x20], Show(_rtc));
    }

    [Theory]
    [InlineData(0x00, 0x01)]
    [InlineData(0x00, 0x02)]
    [InlineData(0x99, 0x98)]
    [InlineData(0x99, 0x99)]
    public void A_clock_set_to_the_ends_of_the_calendar_stands_a_step_of_the_hosts_clock(byte century, byte year)
    {
        Put(StatusB, Set | Hours24);
        Put(TimeRegisters, [0x00, 0x00, 0x00, 0x01, 0x01, 0x01, year, century]);
        Put(StatusB, Hours24);

        _time.Utc -= TimeSpan.FromDays(300);
        Show(_rtc);
        _time.Utc += TimeSpan.FromDays(600);
        Show(_rtc);
    }

    [Fact]
    public void The_index_keeps_its_low_7_bits_and_reads_as_all_ones()
    {
        Put(0x40, 0xa5);
        _rtc.Out(0, 0xc0); // NMI off, index 0x40

        Assert.Equal(0xa5, _rtc.In(1));
        Assert.Equal(0xff, _rtc.In(0));
        Assert.Equal(0xa5ffUL, _rtc.In(0, 2));
    }

    [Fact]
    public void A_word_written_to_the_index_is_the_index_and_then_its_data()
    {
        _rtc.Out(0, 0x5a_41, 2);

        Assert.Equal(0x5a, Get(0x41));
    }

    [Fact]
    public void Status_C_and_D_cannot_be_written_nor_A_say_that_an_update_is_in_progress()
    {
        Put(0x0c, 0xff);
        Put(0x0d, 0x00);
        Put(StatusA, 0xff);

        Assert.Equal(0x00, Get(0x0c));
        Assert.Equal(0x80, Get(0x0d));
        Assert.Equal(0x7f, Get(StatusA));
    }

    [Theory]
    [InlineData(2 * MemoryLayout.MiB, 1024, 0, 0)]
    [InlineData(16 * MemoryLayout.MiB, 15 * 1024, 0, 0)]
    [InlineData(17 * MemoryLayout.MiB, 16 * 1024, 16, 0)]
    [InlineData(256 * MemoryLayout.MiB, 0xffff, 3840, 0)]
    [InlineData(3 * MemoryLayout.GiB, 0xffff, 48896, 0)]
    [InlineData(5 * MemoryLayout.GiB, 0xffff, 48896, 0x8000)]
    [InlineData(7 * MemoryLayout.GiB, 0xffff, 48896, 0x10000)]
    public void The_memory_size_is_where_a_BIOS_leaves_it(ulong size, int extended, int above16, int above4)
    {
        Rtc rtc = new(new GuestMemoryMap(size), _time);

        Assert.Equal(640, Word(rtc, 0x15));
        Assert.Equal(extended, Word(rtc, 0x17));
        Assert.Equal(extended, Word(rtc, 0x30));
        Assert.Equal(above16, Word(rtc, 0x34));
        Assert.Equal(above4, Word(rtc, 0x5b) | (Register(rtc, 0x5d) << 16));
    }

    [Fact]
    public void Whatever_is_written_where_in_which_order_reads_never_fail() =>
        Gen.Select(
            Gen.OneOf(Gen.Byte[0, 0x0d], Gen.Const((byte)0x32), Gen.Byte),
            Gen.Byte,
            Gen.Int[-400, 400]).Array[1, 60].Sample(
            steps =>
            {
                ManualTime time = new(new(2024, 2, 29));
                Rtc rtc = new(new GuestMemoryMap(256 * MemoryLayout.MiB), time);
                foreach ((byte index, byte value, int hours) in steps)
                {
                    rtc.Out(0, index);
                    rtc.Out(1, value);
                    time.Utc += TimeSpan.FromHours(hours);
                    foreach (byte register in TimeRegisters)
                        Register(rtc, register);
                }
            },
            iter: 300, threads: 1);

    private static byte[] Show(Rtc rtc) => [.. TimeRegisters.Select(register => Register(rtc, register))];

    private static byte Register(Rtc rtc, byte index)
    {
        rtc.Out(0, index);
        return rtc.In(1);
    }

    private static int Word(Rtc rtc, byte index) => Register(rtc, index) | (Register(rtc, (byte)(index + 1)) << 8);

    private byte Get(byte index) => Register(_rtc, index);

    private void Put(byte index, byte value)
    {
        _rtc.Out(0, index);
        _rtc.Out(1, value);
    }

    private void Put(byte[] indexes, byte[] values)
    {
        foreach ((byte index, byte value) in indexes.Zip(values))
            Put(index, value);
    }
}
