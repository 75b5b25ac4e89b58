using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices.State;

/// <summary>The envelope of states: docs/state-format.md.</summary>
public sealed class StateRecordTests
{
    [Fact]
    public void A_serial_port_whose_interrupt_may_have_been_lost_on_its_way_raises_it_again()
    {
        RecordingInterrupt line = new();
        Serial16550 first = new(new RecordingSink(), new RecordingInterrupt());
        byte[] quiet = StateWriter.Save(first);
        first.Write(1, [0x02]); // THR-empty interrupts, of which one is due
        byte[] waiting = StateWriter.Save(first);
        Serial16550 second = new(new RecordingSink(), line);

        StateReader.Restore(second, quiet);
        Assert.Equal(0, line.Edges);
        StateReader.Restore(second, waiting);
        Assert.Equal(1, line.Edges);
    }

    [Fact]
    public void The_checksum_is_CRC_32C() => Assert.Equal(0xe306_9283u, StateRecord.Checksum("123456789"u8));

    [Fact]
    public void A_record_is_laid_out_as_the_page_says() => Assert.Equal(
        "4d564453" + "0300" + "05" + "7468696e67" + "1f000000"
            + "ff" + "01" + "0201" + "04030201" + "0807060504030201" + "feffffffffffffff" + "03000000616263"
            + "2caaabc0",
        Convert.ToHexStringLower(Thing.Filled.Save()));

    [Fact]
    public void Fields_come_back_as_they_were()
    {
        Thing thing = new();
        StateReader.Restore(thing, Thing.Filled.Save());
        Assert.Equal(Thing.Filled.Fields, thing.Fields);
    }

    [Fact]
    public void An_older_state_tells_its_version()
    {
        Thing thing = new();
        byte[] old = StateDamage.Altered(Thing.Filled.Save(), bytes => bytes[4] = 2);
        StateReader.Restore(thing, old);
        Assert.Equal(2, thing.Read);
    }

    [Theory]
    [InlineData(0, 0, "saved state: damaged: a record begins with 0x53445600, not with 0x5344564d")]
    [InlineData(4, 0, "saved state: damaged: a record has version 0")]
    [InlineData(5, 1, "saved state of thing: version 259, and this MiniVmm knows up to 3; use a newer MiniVmm")]
    [InlineData(6, 7, "saved state: damaged: 33488896 bytes are due, and 33 are left")]
    [InlineData(8, 7, "saved state: \"t?ing\" where \"thing\" is due; restore it on a machine with the same devices")]
    [InlineData(17, 2, "saved state of thing: impossible: 2 for yes (1) or no (0)")]
    [InlineData(41, 1, "saved state of thing: impossible: 259 bytes where 8 fit")]
    public void What_cannot_be_is_refused_in_one_line(int at, byte value, string message)
    {
        byte[] state = StateDamage.Altered(Thing.Filled.Save(), bytes => bytes[at] = value);
        Assert.Equal(message, Assert.Throws<StateException>(() => StateReader.Restore(new Thing(), state)).Message);
    }

    [Fact]
    public void Fields_that_nobody_reads_are_refused()
    {
        Thing longer = new() { Fields = Thing.Filled.Fields, More = [1, 2] };
        Assert.Equal(
            "saved state of thing: damaged: 6 bytes are left over",
            Assert.Throws<StateException>(() => StateReader.Restore(new Thing(), longer.Save())).Message);
    }

    [Fact]
    public void Several_records_follow_each_other()
    {
        StateWriter writer = new();
        writer.WriteRecord(Thing.Filled);
        writer.WriteRecord(new Thing { Fields = Thing.Filled.Fields with { Byte = 9 } });
        StateReader reader = new(writer.ToArray());
        Thing thing = new();
        reader.ReadRecord(thing);
        Assert.Equal(0xff, thing.Fields.Byte);
        Assert.Throws<StateException>(reader.End);
        reader.ReadRecord(thing);
        Assert.Equal(9, thing.Fields.Byte);
        reader.End();
    }

    private sealed record Values(byte Byte, bool Bool, ushort Short, uint Word, ulong Long, long Signed, string Text);

    private sealed class Thing : ISuspendable
    {
        public static Thing Filled { get; } = new()
        {
            Fields = new Values(0xff, true, 0x0102, 0x0102_0304, 0x0102_0304_0506_0708, -2, "abc"),
        };

        public Values Fields { get; set; } = new(0, false, 0, 0, 0, 0, "");

        public byte[] More { get; init; } = [];

        public ushort Read { get; private set; }

        public string StateName => "thing";

        public ushort StateVersion => 3;

        public byte[] Save() => StateWriter.Save(this);

        public void Save(StateWriter writer)
        {
            writer.WriteByte(Fields.Byte);
            writer.WriteBool(Fields.Bool);
            writer.WriteUInt16(Fields.Short);
            writer.WriteUInt32(Fields.Word);
            writer.WriteUInt64(Fields.Long);
            writer.WriteInt64(Fields.Signed);
            writer.WriteBytes(System.Text.Encoding.ASCII.GetBytes(Fields.Text));
            if (More.Length > 0)
                writer.WriteBytes(More);
        }

        public void Restore(StateReader reader)
        {
            Read = reader.Version;
            Fields = new Values(
                reader.ReadByte(), reader.ReadBool(), reader.ReadUInt16(), reader.ReadUInt32(), reader.ReadUInt64(),
                reader.ReadInt64(), System.Text.Encoding.ASCII.GetString(reader.ReadBytes(8)));
        }
    }
}
