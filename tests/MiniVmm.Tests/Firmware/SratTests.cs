using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Firmware;

/// <summary>What the tables tell of memory that may come.</summary>
public sealed class SratTests
{
    private static readonly FirmwareCpus Cpus = new([new(0, true), new(254, false), new(255, true), new(0x12345, false)]);

    [Fact]
    public void Iasl_finds_the_region_hot_pluggable_and_all_RAM_and_processors_in_one_node()
    {
        GuestMemoryMap memory = Memory(4 * MemoryLayout.GiB, 6 * MemoryLayout.GiB);
        string srat = Iasl.Check("srat", new GuestView(AcpiTables.Build(Cpus, [], memory: memory)).TableBytes("SRAT"));

        GuestRange region = memory.Pluggable!.Range;
        AmlWriterTests.AssertInOrder(
            srat,
            "[Processor Local APIC/SAPIC Affinity]", "Apic ID : 00", "Enabled : 1", "Apic ID : FE", "Enabled : 1",
            "[Processor Local x2APIC Affinity]", "Apic ID : 000000FF", "Enabled : 1", "Apic ID : 00012345", "Enabled : 1",
            "[Memory Affinity]", "Base Address : 0000000000000000", "Address Length : 00000000000A0000", "Enabled : 1", "Hot Pluggable : 0",
            "Base Address : 0000000000100000", "Address Length : 00000000BFF00000", "Enabled : 1", "Hot Pluggable : 0",
            "Base Address : 0000000100000000", "Address Length : 0000000040000000", "Enabled : 1", "Hot Pluggable : 0",
            $"Base Address : {region.Start:X16}", $"Address Length : {region.Length:X16}", "Enabled : 1", "Hot Pluggable : 1");
        Assert.DoesNotContain("Proximity Domain : 00000001", srat, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_whose_memory_stays_has_none()
    {
        LoadSegment tables = AcpiTables.Build(Cpus, [], memory: new GuestMemoryMap(64 * MemoryLayout.MiB));

        Assert.Equal(AcpiTables.Build(Cpus, []).Data.ToArray(), tables.Data.ToArray());
        Assert.Throws<InvalidOperationException>(() => new GuestView(tables).Table("SRAT"));
    }

    [Fact]
    public void Without_RAM_above_4_GiB_there_is_no_entry_for_such()
    {
        GuestMemoryMap memory = Memory(64 * MemoryLayout.MiB, MemoryLayout.GiB);

        byte[] srat = Srat.Build(Topologies.Present(0), memory)!;

        Assert.Equal(AcpiTable.HeaderSize + 12 + 16 + (3 * 40), srat.Length);
    }

    private static GuestMemoryMap Memory(ulong size, ulong most) => GuestMemoryMap.Of(new(size, Max: most));
}
