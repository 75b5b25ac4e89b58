using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>
/// System Resource Affinity Table (ACPI 6.5, 5.2.16), for a machine whose memory can grow: one node, and where memory may come.
/// A kernel sizes by it, before anything has come, what must cover the highest address, such as bounce buffers.
/// </summary>
/// <remarks>
/// The rest of it is there for the sake of that: Linux takes the table for broken where it leaves out RAM or processors.
/// </remarks>
internal static class Srat
{
    private const byte Revision = 3;
    private const uint Enabled = 1, HotPluggable = 2;
    private const uint Node = 0;

    /// <param name="cpus">All processors, present or only possible.</param>
    /// <param name="memory">All RAM at the start, and the region for more.</param>
    /// <returns>Null where no more memory can come.</returns>
    public static byte[]? Build(FirmwareCpus cpus, GuestMemoryMap memory)
    {
        if (memory.Pluggable is not { Range: var region })
            return null;
        ByteWriter body = new();
        body.U32(1); // reserved, and to be so
        body.Zeros(8);
        for (int i = 0; i < cpus.All.Count; i++)
            Processor(body, cpus.All[i].ApicId);

        // As the firmware map has it: no RAM where the VGA and the ROMs are.
        Memory(body, new(0, MemoryLayout.LegacyHoleStart), Enabled);
        Memory(body, new(MemoryLayout.HighMemory, memory.LowRamEnd - MemoryLayout.HighMemory), Enabled);
        for (int i = 1; i < memory.Ram.Count; i++)
            Memory(body, memory.Ram[i], Enabled);
        Memory(body, region, Enabled | HotPluggable);
        return AcpiTable.Build("SRAT", Revision, body.Written);
    }

    /// <summary>5.2.16.1, and 5.2.16.3 for an ID that has no room there.</summary>
    private static void Processor(ByteWriter body, uint apicId)
    {
        if (apicId < FirmwareCpus.FirstX2ApicId)
        {
            body.U8(0);
            body.U8(16);
            body.U8((byte)Node);
            body.U8((byte)apicId);
            body.U32(Enabled);
            body.Zeros(8); // SAPIC, the node's upper bits, clock domain
        }
        else
        {
            body.U8(2);
            body.U8(24);
            body.U16(0);
            body.U32(Node);
            body.U32(apicId);
            body.U32(Enabled);
            body.Zeros(8);
        }
    }

    /// <summary>5.2.16.2.</summary>
    private static void Memory(ByteWriter body, GuestRange range, uint flags)
    {
        body.U8(1);
        body.U8(40);
        body.U32(Node);
        body.U16(0);
        body.U64(range.Start);
        body.U64(range.Length);
        body.U32(0);
        body.U32(flags);
        body.U64(0);
    }
}
