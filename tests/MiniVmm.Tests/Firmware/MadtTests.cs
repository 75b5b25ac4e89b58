using System.Buffers.Binary;
using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Firmware;

public sealed class MadtTests
{
    private static List<byte[]> Entries(FirmwareCpus cpus)
    {
        byte[] madt = new GuestView(AcpiTables.Build(cpus, [])).TableBytes("APIC");
        Assert.Equal((uint)MemoryLayout.LocalApic, BinaryPrimitives.ReadUInt32LittleEndian(madt.AsSpan(36)));
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(madt.AsSpan(40)));
        List<byte[]> entries = [];
        for (int at = 44; at < madt.Length; at += madt[at + 1])
            entries.Add(madt[at..(at + madt[at + 1])]);
        return entries;
    }

    private static string[] Hex(IEnumerable<byte[]> entries, byte type) =>
        [.. entries.Where(e => e[0] == type).Select(Convert.ToHexString)];

    [Theory]
    [InlineData(new uint[] { 0 })]
    [InlineData(new uint[] { 0, 1 })]
    [InlineData(new uint[] { 0, 1, 2, 3 })]
    [InlineData(new uint[] { 0, 1, 2, 3, 4, 5 })]
    [InlineData(new uint[] { 0, 1, 2, 4, 5, 6 })]
    [InlineData(new uint[] { 2, 0, 1, 3 })]
    public void Each_processor_has_an_entry_with_its_own_APIC_id_in_order(uint[] apicIds)
    {
        List<byte[]> entries = Entries(Topologies.Present(apicIds));
        Assert.Equal(apicIds.Select((id, uid) => $"0008{uid:X2}{id:X2}01000000"), Hex(entries, 0));
        Assert.Empty(Hex(entries, 9));
        Assert.Empty(Hex(entries, 10));
    }

    [Fact]
    public void A_processor_that_may_come_is_online_capable_and_not_enabled() =>
        Assert.Equal(
            ["0008000001000000", "0008010101000000", "0008020202000000"],
            Hex(Entries(Topologies.Some(2, 3)), 0));

    [Fact]
    public void An_APIC_id_from_255_on_gets_an_x2APIC_entry_after_the_others()
    {
        List<byte[]> entries = Entries(new([new(0, true), new(254, true), new(255, true), new(0x12345, false)]));
        Assert.Equal(["0008000001000000", "000801FE01000000"], Hex(entries, 0));
        Assert.Equal(["09100000FF0000000100000002000000", "09100000452301000200000003000000"], Hex(entries, 9));
        Assert.Equal(["0A0C0000FFFFFFFF01000000"], Hex(entries, 10));
    }

    [Fact]
    public void Unique_ids_fit_their_byte_in_the_fullest_machine()
    {
        // The boot processor has the highest 8-bit ID, so that all others follow it.
        FirmwareCpus cpus = Topologies.Present([254u, .. Enumerable.Range(0, 254).Select(i => (uint)i), 255u]);
        List<byte[]> entries = Entries(cpus);
        Assert.Equal(Enumerable.Range(0, 255), entries.Where(e => e[0] == 0).Select(e => (int)e[2]));
        Assert.Equal(["09100000FF00000001000000FF000000"], Hex(entries, 9));
    }

    [Fact]
    public void The_wiring_is_a_PCs()
    {
        List<byte[]> entries = Entries(Topologies.Present(0));
        Assert.Equal(["010C00000000C0FE00000000"], Hex(entries, 1));
        // The timer at input 2 as the bus has it; ACPI's own interrupt level, active high.
        Assert.Equal(["020A0000020000000000", "020A0009090000000D00"], Hex(entries, 2));
        Assert.Equal(["0406FF000001"], Hex(entries, 4));
    }
}
