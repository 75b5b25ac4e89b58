using System.Runtime.InteropServices;
using MiniVmm.Boot;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Teaching.Explain;

namespace MiniVmm.Teaching.Plan;

/// <summary>What <c>--dry-run</c> shows behind the plan itself: what KVM and the guest would be told of it.</summary>
internal static class PlanDetails
{
    /// <param name="disassemble">Gives the text of an ACPI table; null where it cannot.</param>
    public static void Write(TextWriter output, MachinePlan plan, Func<AcpiDump.Table, string?> disassemble)
    {
        WriteSlots(output, plan);
        WriteWindows(output, plan);
        WriteRoutes(output, plan);
        WriteRegisters(output, plan);
        AcpiDump.Write(output, plan, disassemble);
    }

    private static void WriteSlots(TextWriter output, MachinePlan plan)
    {
        output.WriteLine("memory slots (KVM_SET_USER_MEMORY_REGION)");
        int slot = 0;
        foreach (GuestRange range in plan.Memory.Ram)
        {
            for (ulong at = range.Start; at < range.End; at += AddressSpace.MaxSlotBytes)
            {
                GuestRange part = new(at, Math.Min(AddressSpace.MaxSlotBytes, range.End - at));
                output.WriteLine($"  {slot++,4}  {part}  {ByteSize.Format(part.Length)} of RAM");
            }
        }

        if (plan.Options.Firmware is not null)
            output.WriteLine("  more   firmware, read-only (KVM_MEM_READONLY)");
        if (plan.Boot.Framebuffer is not null || plan.Options.BochsDisplay)
            output.WriteLine("  more   the display's memory");
        output.WriteLine();
    }

    private static void WriteWindows(TextWriter output, MachinePlan plan)
    {
        output.WriteLine("device windows: an access ends in an exit");
        foreach (DeviceDescription device in plan.Devices.OrderByDescending(device => device.Window.IsPort).ThenBy(device => device.Window.Start))
        {
            string line = device.Interrupt is { } interrupt ? $", interrupt {interrupt} ({(device.IsLevelTriggered ? "level" : "edge")})" : "";
            output.WriteLine($"  {device.Window,-24}{device.Name}{line}");
        }

        foreach (VirtioMmioSlot slot in plan.Virtio.OfType<VirtioMmioSlot>())
            output.WriteLine($"  {$"memory 0x{slot.Address:x}",-24}virtio-mmio: {slot.Name}, interrupt {slot.Gsi}");
        output.WriteLine("In the kernel, without exits: ports 0x20-0x21, 0xa0-0xa1, 0x4d0-0x4d1 (8259s), 0x40-0x43, 0x61 (8254),");
        output.WriteLine("  memory 0xfec00000 (I/O APIC), 0xfee00000 (local APICs)");
        output.WriteLine();
    }

    private static void WriteRoutes(TextWriter output, MachinePlan plan)
    {
        output.WriteLine("interrupt routes (KVM_SET_GSI_ROUTING)");
        SortedDictionary<uint, List<string>> targets = [];
        foreach (kvm_irq_routing_entry route in InterruptRouter.Pins(plan.PciRoot is not null))
        {
            string chip = route.u.irqchip.irqchip switch
            {
                KvmConstants.KVM_IRQCHIP_PIC_MASTER => "first 8259 pin",
                KvmConstants.KVM_IRQCHIP_PIC_SLAVE => "second 8259 pin",
                _ => "I/O APIC pin",
            };
            if (!targets.TryGetValue(route.gsi, out List<string>? known))
                targets[route.gsi] = known = [];
            known.Add($"{chip} {route.u.irqchip.pin}");
        }

        foreach ((uint gsi, List<string> pins) in targets)
            output.WriteLine($"  {gsi,4}  {string.Join(", ", pins)}");
        output.WriteLine();
    }

    private static void WriteRegisters(TextWriter output, MachinePlan plan)
    {
        output.WriteLine("registers at the start (KVM_SET_SREGS, KVM_SET_REGS); the others are as after a reset");
        List<ObservedCall> calls = [];
        EntryState entry = plan.Boot.Entry;
        if (entry.Mode != EntryMode.Reset)
        {
            calls.Add(Call(KvmIoctl.KVM_SET_SREGS, EntryRegisters.Special(entry, AfterReset())));
            calls.Add(Call(KvmIoctl.KVM_SET_REGS, EntryRegisters.General(entry)));
        }

        RegisterImage.Write(output, calls, 0);
        output.WriteLine();
    }

    /// <summary>What KVM_GET_SREGS says of a vCPU that is new: SDM vol. 3A, 10.1.1, table 10-1.</summary>
    private static kvm_sregs AfterReset()
    {
        kvm_segment data = new() { limit = 0xffff, type = 3, present = 1, s = 1 };
        return new()
        {
            cs = data with { @base = 0xffff_0000, selector = 0xf000, type = 0xb },
            ds = data,
            es = data,
            fs = data,
            gs = data,
            ss = data,
            tr = new() { limit = 0xffff, type = 0xb, present = 1 },
            ldt = new() { limit = 0xffff, type = 2, present = 1 },
            gdt = new() { limit = 0xffff },
            idt = new() { limit = 0xffff },
            cr0 = 0x6000_0010,
        };
    }

    private static ObservedCall Call<T>(uint request, T block)
        where T : unmanaged => new(CallTarget.Vcpu, 0, request, 0, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in block)).ToArray(), 0);
}
