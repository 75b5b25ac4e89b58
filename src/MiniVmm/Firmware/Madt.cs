using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>
/// Multiple APIC Description Table (ACPI 6.5, 5.2.12): the processors, the I/O APIC, and where interrupt lines
/// differ from a line n at input n.
/// </summary>
internal static class Madt
{
    private const byte Revision = 5;
    private const uint PcAtCompatible = 1;
    private const uint Enabled = 1;

    /// <summary>
    /// Not there but can come. Since ACPI 6.3 only such entries count besides the enabled ones, and Linux agrees;
    /// kernels that do not know the flag count every entry as a processor that can come.
    /// </summary>
    private const uint OnlineCapable = 2;

    private const ushort ActiveHighLevel = 0x000d;
    private const ushort AsTheBus = 0;

    public static byte[] Build(FirmwareCpus cpus)
    {
        ByteWriter body = new();
        body.U32((uint)MemoryLayout.LocalApic);
        body.U32(PcAtCompatible);
        bool x2Apic = false;
        for (int uid = 0; uid < cpus.All.Count; uid++)
        {
            FirmwareCpu cpu = cpus.All[uid];
            x2Apic |= cpu.ApicId >= FirmwareCpus.FirstX2ApicId;
            Processor(body, uid, cpu.ApicId, cpu.Present ? Enabled : OnlineCapable);
        }

        Entry(1, 12);
        body.U8(InterruptWiring.IoApicId);
        body.U8(0);
        body.U32((uint)MemoryLayout.IoApic);
        body.U32(0);

        for (byte irq = 0; irq < InterruptWiring.IsaIrqs; irq++)
        {
            byte pin = InterruptWiring.IoApicPin(irq);
            bool level = InterruptWiring.IsLevel(irq);
            if (pin == irq && !level)
                continue;
            Entry(2, 10);
            body.U8(0);
            body.U8(irq);
            body.U32(pin);
            body.U16(level ? ActiveHighLevel : AsTheBus);
        }

        Entry(4, 6);
        body.U8(0xff);
        body.U16(AsTheBus);
        body.U8(InterruptWiring.NmiLint);
        if (x2Apic)
        {
            Entry(10, 12);
            body.U16(AsTheBus);
            body.U32(uint.MaxValue);
            body.U8(InterruptWiring.NmiLint);
            body.Zeros(3);
        }

        return AcpiTable.Build("APIC", Revision, body.Written);

        void Entry(byte type, byte length)
        {
            body.U8(type);
            body.U8(length);
        }
    }

    /// <summary>The entry that a processor has once it is there, for its _MAT (6.2.11).</summary>
    public static byte[] EntryOf(int uid, FirmwareCpu cpu)
    {
        ByteWriter entry = new();
        Processor(entry, uid, cpu.ApicId, Enabled);
        return entry.ToArray();
    }

    private static void Processor(ByteWriter output, int uid, uint apicId, uint flags)
    {
        if (apicId < FirmwareCpus.FirstX2ApicId)
        {
            // Ascending IDs make the uid at most 254 here.
            output.U8(0);
            output.U8(8);
            output.U8((byte)uid);
            output.U8((byte)apicId);
            output.U32(flags);
        }
        else
        {
            output.U8(9);
            output.U8(16);
            output.U16(0);
            output.U32(apicId);
            output.U32(flags);
            output.U32((uint)uid);
        }
    }
}
