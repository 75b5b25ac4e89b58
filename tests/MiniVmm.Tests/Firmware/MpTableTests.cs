using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Firmware;

public sealed class MpTableTests
{
    private const uint Signature = 0x000806ec;
    private const uint Features = 0x0783fbff;

    private static readonly MpPlace Usual = new(MemoryLayout.MpTable, MemoryLayout.MpTable + 16);

    private static GuestView Build(FirmwareCpus cpus) =>
        new(Assert.Single(MpTable.Build(Usual, cpus, Signature, Features)));

    /// <summary>The entries as a guest walks them: twenty bytes for a processor, eight for all else.</summary>
    private static List<byte[]> Entries(GuestView guest)
    {
        ulong table = guest.U32(MemoryLayout.MpTable + 4);
        List<byte[]> entries = [];
        ulong at = table + 44;
        for (int left = guest.U16(table + 34); left > 0; left--)
        {
            int size = guest.U8(at) == 0 ? 20 : 8;
            entries.Add(guest.Bytes(at, size).ToArray());
            at += (ulong)size;
        }

        Assert.Equal(guest.U16(table + 4), at - table);
        return entries;
    }

    private static string[] Hex(IEnumerable<byte[]> entries, byte type) =>
        [.. entries.Where(e => e[0] == type).Select(Convert.ToHexString)];

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(255)]
    public void The_pointer_and_the_table_add_up(int processors)
    {
        GuestView guest = Build(Topologies.Some(processors, processors));
        Assert.Equal("_MP_", guest.Text(MemoryLayout.MpTable, 4));
        Assert.Equal(1, guest.U8(MemoryLayout.MpTable + 8));
        Assert.Equal(4, guest.U8(MemoryLayout.MpTable + 9));
        Assert.Equal(0, guest.Sum(MemoryLayout.MpTable, 16));
        Assert.Equal([0, 0, 0, 0, 0], guest.Bytes(MemoryLayout.MpTable + 11, 5).ToArray());

        uint table = guest.U32(MemoryLayout.MpTable + 4);
        Assert.Equal("PCMP", guest.Text(table, 4));
        Assert.Equal(0, guest.Sum(table, guest.U16(table + 4)));
        Assert.Equal((uint)MemoryLayout.LocalApic, guest.U32(table + 36));
        Assert.Equal(processors, Hex(Entries(guest), 0).Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    public void The_size_of_the_table_is_known_before_its_text(int processors)
    {
        FirmwareCpus cpus = Topologies.Some(processors, processors);

        Assert.Equal(Build(cpus).U16(MemoryLayout.MpTable + 16 + 4), MpTable.ConfigurationSize(cpus));
    }

    [Fact]
    public void A_pointer_apart_from_its_table_leads_to_it()
    {
        IReadOnlyList<LoadSegment> parts =
            MpTable.Build(new(0x9fc20, 0x123450), Topologies.Present(0), Signature, Features);

        Assert.Equal([0x9fc20ul, 0x123450ul], parts.Select(part => part.Address));
        Assert.Equal(0x123450u, new GuestView(parts[0]).U32(0x9fc24));
        Assert.Equal(0, new GuestView(parts[0]).Sum(0x9fc20, 16));
        Assert.Equal("PCMP", new GuestView(parts[1]).Text(0x123450, 4));
    }

    [Fact]
    public void The_boot_processor_is_marked_and_others_are_only_enabled()
    {
        const string Model = "EC060800FFFB83070000000000000000";
        Assert.Equal(
            [$"00021403{Model}", $"00001401{Model}", $"00011401{Model}"],
            Hex(Entries(Build(Topologies.Present(2, 0, 1))), 0));
    }

    [Fact]
    public void Processors_that_are_absent_or_have_no_8_bit_id_are_left_out()
    {
        FirmwareCpus cpus = new([new(0, true), new(1, false), new(254, true), new(255, true), new(256, true)]);
        Assert.Equal([0, 254], Entries(Build(cpus)).Where(e => e[0] == 0).Select(e => (int)e[1]));
    }

    [Fact]
    public void The_wiring_is_a_PCs()
    {
        List<byte[]> entries = Entries(Build(Topologies.Present(3, 5)));
        Assert.Equal(["0100495341202020"], Hex(entries, 1));
        Assert.Equal(["020011010000C0FE"], Hex(entries, 2));
        Assert.Equal(
            [(0, 2), .. new[] { 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }.Select(irq => (irq, irq))],
            entries.Where(e => e[0] == 3).Select(e => ((int)e[5], (int)e[7])));
        // The 8259 to the boot processor's LINT0, NMI to everybody's LINT1.
        Assert.Equal(["0403000000000300", "040100000000FF01"], Hex(entries, 4));
    }
}
