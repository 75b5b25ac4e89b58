using System.Globalization;
using MiniVmm.Devices;

namespace MiniVmm.Firmware;

/// <summary>
/// Differentiated System Description Table: how to power off, the processors, and every device that has no
/// bus of its own to be found on, and the PCI bus where there is one. There is no power button: the FADT has it.
/// </summary>
internal static class Dsdt
{
    /// <summary>Revision 2: AML integers have 64 bits.</summary>
    private const byte Revision = 2;

    public static byte[] Build(FirmwareCpus cpus, IEnumerable<AmlDevice> devices, PciRoot? pci = null)
    {
        AmlWriter aml = new();
        // First, and in this bare form: small kernels search the bytes for _S5_ instead of interpreting.
        aml.Name("_S5").Package(IoPorts.AcpiSleepTypeS5, IoPorts.AcpiSleepTypeS5, 0, 0);
        aml.Scope(@"\_SB", systemBus =>
        {
            // A guest drops the whole table when two devices have one name.
            HashSet<string> names = pci is null ? [] : ["PCI0"];
            if (cpus.Change)
                DsdtHotPlug.WriteRegisters(systemBus, [.. cpus.All.Select((_, uid) => Processor(uid).Name)]);
            foreach ((int uid, FirmwareCpu cpu) in cpus.All.Index())
            {
                // The boot processor always stays.
                Write(Processor(uid), cpus.Change && uid > 0 ? aml => DsdtHotPlug.WriteMethods(aml, uid, cpu) : null);
            }

            if (cpus.Change)
                Write(DsdtHotPlug.Events, DsdtHotPlug.WriteHandler);
            foreach (AmlDevice device in devices)
                Write(device);

            void Write(AmlDevice device, Action<AmlWriter>? more = null)
            {
                if (!names.Add(device.Name))
                    throw new ArgumentException($"two devices are named {device.Name}", nameof(devices));
                device.Write(systemBus, more);
            }

            pci?.Write(systemBus);
        });
        return AcpiTable.Build("DSDT", Revision, aml.ToArray());
    }

    /// <summary>A processor device; its unique ID is what joins it to the MADT's entry (8.4).</summary>
    private static AmlDevice Processor(int uid) =>
        new(string.Create(CultureInfo.InvariantCulture, $"C{uid:X3}"), "ACPI0007", (uint)uid);
}
