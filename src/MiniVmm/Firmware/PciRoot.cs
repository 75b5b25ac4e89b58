using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>
/// The host bridge of bus 0 as the tables tell of it: its object in the DSDT (PCI Firmware 3.3, 4.1), and the MCFG.
/// </summary>
/// <param name="ConfigurationSpace">The memory of its configuration space; null where there are only the ports.</param>
/// <param name="Ports">I/O ports that it passes on.</param>
/// <param name="Memory">Memory below 4 GiB that it passes on.</param>
/// <param name="HighMemory">Memory above 4 GiB that it passes on.</param>
/// <param name="Devices">The devices on the bus, 0 to 31, whose interrupt pins are wired.</param>
internal sealed record PciRoot(
    GuestRange? ConfigurationSpace, GuestRange Ports, GuestRange Memory, GuestRange HighMemory, IReadOnlyList<int> Devices)
{
    /// <summary>Pins of a device: INTA to INTD.</summary>
    private const int Pins = 4;

    private const uint AllFunctions = 0xffff;

    /// <summary>What each pin of each device raises.</summary>
    public IEnumerable<(int Device, int Pin, byte Gsi)> Interrupts =>
        from device in Devices
        from pin in Enumerable.Range(0, Pins)
        select (device, pin, InterruptWiring.PciLines[InterruptWiring.PciLineIndex(device, pin)]);

    /// <summary>Keeps others away from the configuration space: Linux uses it only where somebody claims it.</summary>
    public AmlDevice? Claim => ConfigurationSpace is not { } space ? null : new("ECAM", "PNP0C02", 1)
    {
        Resources = new ResourceTemplate().Memory32((uint)space.Start, (uint)space.Length),
    };

    internal void Write(AmlWriter aml) => aml.Device("PCI0", root =>
    {
        root.Name("_HID").HardwareId(ConfigurationSpace is null ? "PNP0A03" : "PNP0A08");
        if (ConfigurationSpace is not null)
            root.Name("_CID").HardwareId("PNP0A03");
        root.Name("_UID").Integer(0);
        root.Name("_SEG").Integer(0);
        root.Name("_BBN").Integer(0);
        root.Name("_CRS").Buffer(new ResourceTemplate()
            .BusNumbers(0, 0)
            .Io(0xcf8, 8)
            .IoWindow((ushort)Ports.Start, (ushort)(Ports.End - 1))
            .MemoryWindow32((uint)Memory.Start, (uint)(Memory.End - 1))
            .MemoryWindow64(HighMemory.Start, HighMemory.End - 1)
            .ToArray());
        (int Device, int Pin, byte Gsi)[] interrupts = [.. Interrupts];
        root.Name("_PRT").Package(interrupts.Length, entries =>
        {
            foreach ((int device, int pin, byte gsi) in interrupts)
                entries.Package(((ulong)device << 16) | AllFunctions, (ulong)pin, 0, gsi);
        });
        if (ConfigurationSpace is not null)
            root.Method("_OSC", 4, WriteControl);
    });

    /// <summary>The MCFG (PCI Firmware 3.3, 4.1.2): where the configuration space of which buses lies.</summary>
    internal static byte[] BuildMcfg(GuestRange space)
    {
        ByteWriter body = new();
        body.Zeros(8);
        body.U64(space.Start);
        body.U16(0);
        body.U8(0);
        body.U8(0);
        body.Zeros(4);
        return AcpiTable.Build("MCFG", 1, body.Written);
    }

    /// <summary>
    /// _OSC (ACPI 6.5, 6.2.11.3): the guest may have whatever it asks to control, as there is no firmware that would.
    /// </summary>
    private static void WriteControl(AmlWriter method)
    {
        // 33db4d5b-1ff7-401c-9657-7441c03dd766, as ToUUID lays it out.
        byte[] hostBridge = new Guid("33db4d5b-1ff7-401c-9657-7441c03dd766").ToByteArray();
        const ulong Known = 0x1f; // hot-plug, SHPC, PME, AER, the capability structure
        const ulong UnknownUuid = 1 << 2, UnknownRevision = 1 << 3, Masked = 1 << 4;
        method.CreateDwordField().Argument(3).Integer(0).Reference("CDW1");
        method.If(
            test => test.Equal().Argument(0).Buffer(hostBridge),
            then =>
            {
                then.CreateDwordField().Argument(3).Integer(8).Reference("CDW3");
                then.If(
                    test => test.NotEqual().Argument(1).Integer(1),
                    flag => flag.Or().Reference("CDW1").Integer(UnknownRevision).Reference("CDW1"));
                then.And().Reference("CDW3").Integer(Known).Local(0);
                then.If(
                    test => test.NotEqual().Local(0).Reference("CDW3"),
                    flag => flag.Or().Reference("CDW1").Integer(Masked).Reference("CDW1"));
                then.Store().Local(0).Reference("CDW3");
            });
        method.Else(flag => flag.Or().Reference("CDW1").Integer(UnknownUuid).Reference("CDW1"));
        method.Return().Argument(3);
    }
}
