namespace MiniVmm.Firmware;

/// <summary>One logical processor as the firmware tables tell of it.</summary>
/// <param name="ApicId">Its local APIC ID, in 32 bits as in x2APIC.</param>
/// <param name="Present">False for one that the machine has room for and that may be plugged in later.</param>
internal readonly record struct FirmwareCpu(uint ApicId, bool Present);

/// <summary>
/// The machine's processors in the order of the tables: the boot processor, then the others by APIC ID. The
/// place in this order is a processor's ACPI unique ID.
/// </summary>
internal sealed class FirmwareCpus
{
    /// <summary>APIC IDs from here up need x2APIC structures; 255 is xAPIC's broadcast (ACPI 6.5, 5.2.12.12).</summary>
    public const uint FirstX2ApicId = 255;

    /// <exception cref="ArgumentException">
    /// No processor; a boot processor that is absent or has an APIC ID over 254, which no processor can start
    /// with; the others not in ascending order of APIC ID; or one ID twice.
    /// </exception>
    public FirmwareCpus(IEnumerable<FirmwareCpu> cpus)
    {
        All = [.. cpus];
        if (All.Count == 0 || !All[0].Present || All[0].ApicId >= FirstX2ApicId)
            throw new ArgumentException("the first processor must be present, with an APIC ID below 255", nameof(cpus));
        for (int i = 1; i < All.Count; i++)
        {
            if (All[i].ApicId == All[0].ApicId || (i > 1 && All[i].ApicId <= All[i - 1].ApicId))
                throw new ArgumentException($"APIC ID {All[i].ApicId} is out of order or there twice", nameof(cpus));
        }

        Change = All.Any(cpu => !cpu.Present);
    }

    /// <summary>The boot processor first; at least one.</summary>
    public IReadOnlyList<FirmwareCpu> All { get; }

    /// <summary>Whether processors may come, and so may go.</summary>
    public bool Change { get; }
}
