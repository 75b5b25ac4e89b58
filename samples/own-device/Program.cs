// A kernel with a device of one's own: own-device KERNEL, where KERNEL is out/guests/squarer.elf.
using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Terminal;

MachineOptions options = new()
{
    Kernel = args[0],
    Memory = new MemoryOptions(32 * MemoryLayout.MiB),
    Console = ConsoleKind.Stream,
    Devices =
    [
        // Said once: the bus, the interrupt's route and the ACPI tables follow from it.
        new DeviceDescription("squarer", DeviceWindow.Memory(0xe000_0000, 8), setup => new Squarer(setup.Edge))
        {
            Interrupt = 5,
            Acpi = new AcpiIdentity("SQR0", "MVMM0001", 0),
        },
    ],
};

using MachinePlan plan = MachinePlan.Create(options);
await using VirtualMachine machine = VirtualMachine.Create(plan);
await using Stream console = machine.OpenConsole();
Task<StopReason> run = machine.RunAsync(TimeSpan.FromMinutes(1));
await console.CopyToAsync(Console.OpenStandardOutput());
Console.WriteLine($"the machine ended: {(await run).Kind}");

/// <summary>Squares the number at offset 0; the result is at offset 4 when it interrupts.</summary>
internal sealed class Squarer(IInterruptTrigger interrupt) : IBusDevice
{
    private uint _number;

    public void Read(ulong offset, Span<byte> data)
    {
        data.Clear();
        if (data.Length == sizeof(uint))
            BinaryPrimitives.WriteUInt32LittleEndian(data, offset == 0 ? _number : _number * _number);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (offset != 0 || data.Length != sizeof(uint))
            return;
        _number = BinaryPrimitives.ReadUInt32LittleEndian(data);
        interrupt.Trigger();
    }
}
