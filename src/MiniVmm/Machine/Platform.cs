using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>The devices of every machine on their buses; those that KVM emulates itself are not here.</summary>
public sealed class Platform
{
    /// <param name="memory">For the clock chip's memory size bytes.</param>
    /// <param name="console">Takes what the guest prints on the serial port.</param>
    /// <param name="debugConsole">Takes what it prints on port 0xe9.</param>
    /// <param name="serialInterrupt">The serial port's interrupt line.</param>
    /// <param name="power">Told when the guest switches off, resets or exits.</param>
    /// <param name="clock">The host's time.</param>
    public Platform(
        GuestMemoryMap memory,
        IConsoleSink console,
        IConsoleSink debugConsole,
        IInterruptTrigger serialInterrupt,
        IPowerControl power,
        TimeProvider clock)
    {
        Serial = new Serial16550(console, serialInterrupt);
        Ports.Add(Serial, "serial port COM1", IoPorts.Serial, Serial16550.Length);
        Ports.Add(new DebugConsole(debugConsole), "debug console", IoPorts.DebugConsole, 1);
        Ports.Add(new DebugExit(power), "debug exit", IoPorts.DebugExit, DebugExit.Length);
        Ports.Add(new Rtc(memory, clock), "real-time clock", IoPorts.Rtc, Rtc.Length);
        Ports.Add(new I8042(power), "i8042", IoPorts.I8042Data, I8042.Length);
        Ports.Add(new SystemControlPortA(power), "system control port A", IoPorts.SystemControlA, 1);
        Ports.Add(new VgaCrtc(), "VGA CRT controller", IoPorts.VgaCrtc, VgaCrtc.Length);
        Ports.Add(new AcpiPm(power), "ACPI power management", IoPorts.AcpiPm, AcpiPm.Length);
        Ports.Add(
            new PciConfiguration(power),
            "PCI configuration, reset control",
            IoPorts.PciConfigAddress,
            PciConfiguration.Length);
    }

    public Bus Ports { get; } = new("port", 0xffff);

    public Bus Memory { get; } = new("memory", ulong.MaxValue);

    public Serial16550 Serial { get; }
}

/// <summary>An interrupt line of KVM's in-kernel controllers, behind an eventfd: one write is one edge.</summary>
internal sealed class IrqFdTrigger : IInterruptTrigger, IDisposable
{
    private readonly EventFd _event = new();

    /// <exception cref="KvmException">KVM has no such line.</exception>
    public IrqFdTrigger(KvmVm vm, uint gsi) => vm.AssignIrqFd(_event.Fd, gsi);

    public void Trigger() => _event.Signal();

    public void Dispose() => _event.Dispose();
}
