using MiniVmm.Devices;

namespace MiniVmm.Firmware;

/// <summary>
/// What the DSDT of a machine whose processors come and go has for that: methods of the processors that talk to
/// <see cref="CpuHotPlug"/>, and a Generic Event Device (ACPI 6.5, 5.6.9), whose interrupt says that there is something to do.
/// </summary>
internal static class DsdtHotPlug
{
    private const string Region = "CPRG";
    private const string Command = "CPCM", Event = "CPEV", Status = "CPST";
    private const string Call = "CPUC";
    private const string Report = "CPUR";
    private const string Tell = "CPNT";

    /// <summary>The Generic Event Device.</summary>
    public static AmlDevice Events { get; } = new("GED0", "ACPI0013", 0)
    {
        Resources = new ResourceTemplate().Interrupt(IoPorts.CpuHotPlugIrq, TriggerMode.Level),
    };

    /// <summary>The registers, the methods that use them, and one that finds a processor's device by its number.</summary>
    /// <param name="systemBus">\_SB.</param>
    /// <param name="processors">Names of the processors' devices.</param>
    public static void WriteRegisters(AmlWriter systemBus, IReadOnlyList<string> processors)
    {
        systemBus.PortRegion(Region, IoPorts.CpuHotPlug, CpuHotPlug.Length);
        systemBus.Fields(Region, Command, Event, Status);

        // Serialized, so that nobody comes between a command and its result, or between operands and their command. A report
        // has no result, and so does not disturb a call.
        systemBus.Method(
            Call,
            1,
            call => call.Store().Argument(0).Reference(Command).Return().Reference(Command),
            serialized: true);
        systemBus.Method(
            Report,
            3,
            report => report
                .Store().Argument(1).Reference(Event)
                .Store().Argument(2).Reference(Status)
                .Store().Argument(0).Reference(Command),
            serialized: true);
        systemBus.Method(Tell, 2, tell =>
        {
            for (int i = 1; i < processors.Count; i++)
            {
                int index = i;
                tell.If(
                    test => test.Equal().Argument(0).Integer((ulong)index),
                    then => then.Notify().Reference(processors[index]).Argument(1));
            }
        });
    }

    /// <summary>The methods of a processor that may come and go.</summary>
    public static void WriteMethods(AmlWriter device, int index, FirmwareCpu cpu)
    {
        device.Method("_STA", 0, status => status.Return().Reference(Call).Integer(For(CpuHotPlug.GetStatus)));
        device.Name("_MAT").Buffer(Madt.EntryOf(index, cpu));
        device.Method("_EJ0", 1, eject => eject.Reference(Call).Integer(For(CpuHotPlug.Eject)));
        device.Method(
            "_OST", 3, report => report.Reference(Report).Integer(For(CpuHotPlug.Report)).Argument(0).Argument(1));

        ulong For(byte command) => CpuHotPlug.Command(command, index);
    }

    /// <summary>The Generic Event Device's method: asks for requests until there are no more.</summary>
    public static void WriteHandler(AmlWriter device) => device.Method("_EVT", 1, handler =>
    {
        Next(handler);
        handler.While(
            test => test.Local(0),
            loop =>
            {
                loop.Reference(Tell);
                loop.And().Local(0).Integer(0xffff).NoTarget();
                loop.ShiftRight().Local(0).Integer(16).NoTarget();
                Next(loop);
            });

        static void Next(AmlWriter body) =>
            body.Store().Reference(Call).Integer(CpuHotPlug.Command(CpuHotPlug.NextRequest, 0)).Local(0);
    });
}
