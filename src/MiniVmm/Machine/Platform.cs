using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>The devices of every machine on their buses; those that KVM emulates itself are not here.</summary>
public sealed class Platform
{
    /// <param name="ports">Gets them.</param>
    /// <param name="memory">For the clock chip's memory size bytes.</param>
    /// <param name="console">Takes what the guest prints on the serial port.</param>
    /// <param name="debugConsole">Takes what it prints on port 0xe9.</param>
    /// <param name="serialInterrupt">The serial port's interrupt line.</param>
    /// <param name="sci">ACPI's interrupt line.</param>
    /// <param name="power">Told when the guest switches off, resets or exits.</param>
    /// <param name="clock">The host's time.</param>
    public Platform(
        Bus ports,
        GuestMemoryMap memory,
        IConsoleSink console,
        IConsoleSink debugConsole,
        IInterruptTrigger serialInterrupt,
        ILevelInterrupt sci,
        IPowerControl power,
        TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(ports);
        Serial = new Serial16550(console, serialInterrupt);
        ports.Add(Serial, "serial port COM1", IoPorts.Serial, Serial16550.Length);
        ports.Add(new DebugConsole(debugConsole), "debug console", IoPorts.DebugConsole, 1);
        ports.Add(new DebugExit(power), "debug exit", IoPorts.DebugExit, DebugExit.Length);
        ports.Add(new Rtc(memory, clock), "real-time clock", IoPorts.Rtc, Rtc.Length);
        ports.Add(new I8042(power), "i8042", IoPorts.I8042Data, I8042.Length);
        ports.Add(new SystemControlPortA(power), "system control port A", IoPorts.SystemControlA, 1);
        ports.Add(new VgaCrtc(), "VGA CRT controller", IoPorts.VgaCrtc, VgaCrtc.Length);
        Acpi = new AcpiPm(sci, power);
        ports.Add(Acpi, "ACPI power management", IoPorts.AcpiPm, AcpiPm.Length);
        ports.Add(
            new PciConfiguration(power),
            "PCI configuration, reset control",
            IoPorts.PciConfigAddress,
            PciConfiguration.Length);
    }

    public Serial16550 Serial { get; }

    public AcpiPm Acpi { get; }
}
