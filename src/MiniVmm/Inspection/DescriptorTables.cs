using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>Reads of a vCPU's GDT, LDT, IDT and TSS, as the processor makes them.</summary>
internal static class DescriptorTables
{
    /// <summary>Most entries that are counted or listed.</summary>
    public const int MostEntries = 8192;

    private const ushort LdtBit = 4;

    /// <summary>Linear address of a selector's descriptor; null where it lies beyond the table's limit.</summary>
    public static ulong? AddressOf(GuestView view, ushort selector)
    {
        ArgumentNullException.ThrowIfNull(view);
        ref readonly kvm_sregs sregs = ref view.Sregs;
        bool local = (selector & LdtBit) != 0;
        (ulong start, uint limit) = local
            ? (sregs.ldt.@base, sregs.ldt.unusable != 0 ? 0 : sregs.ldt.limit)
            : (sregs.gdt.@base, sregs.gdt.limit);
        uint offset = selector & 0xfff8u;
        return offset + 7 <= limit ? start + offset : null;
    }

    /// <summary>A selector's descriptor; null beyond the table's limit, or where it is not mapped to RAM.</summary>
    public static SegmentDescriptor? Segment(GuestView view, ushort selector)
    {
        if (AddressOf(view, selector) is not { } at || view.ReadValue(at, 8) is not { } low)
            return null;
        SegmentDescriptor descriptor = new(low);
        return descriptor.IsSystem && view.IsLongMode ? new(low, (view.ReadValue(at + 8, 8) ?? 0) & uint.MaxValue) : descriptor;
    }

    /// <summary>Gates within the IDT's limit.</summary>
    public static int GateCount(GuestView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        return Math.Min((view.Sregs.idt.limit + 1) / InterruptGate.SizeOf(view), 256);
    }

    /// <summary>Linear address of a gate, inside the limit or not.</summary>
    public static ulong GateAddress(GuestView view, byte vector)
    {
        ArgumentNullException.ThrowIfNull(view);
        return view.Sregs.idt.@base + (ulong)(vector * InterruptGate.SizeOf(view));
    }

    /// <summary>A gate, inside the limit or not; null where it is not mapped to RAM.</summary>
    public static InterruptGate? Gate(GuestView view, byte vector)
    {
        byte[] bytes = view.Read(GateAddress(view, vector), InterruptGate.SizeOf(view));
        return bytes.Length == InterruptGate.SizeOf(view) ? InterruptGate.Parse(bytes) : null;
    }
}
