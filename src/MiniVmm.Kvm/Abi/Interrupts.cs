using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MiniVmm.Kvm;

/// <summary>Level of an interrupt line (api.rst, KVM_IRQ_LINE).</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
public struct kvm_irq_level
{
    [FieldOffset(0)] public uint irq;

    /// <summary>What KVM_IRQ_LINE_STATUS leaves here.</summary>
    [FieldOffset(0)] public int status;
    [FieldOffset(4)] public uint level;
}

/// <summary>State of one in-kernel interrupt controller (api.rst, KVM_GET_IRQCHIP).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irqchip
{
    /// <summary>KVM_IRQCHIP_*: which controller.</summary>
    public uint chip_id;
    public uint pad;
    public chip_state chip;

    [StructLayout(LayoutKind.Explicit, Size = 512)]
    public unsafe struct chip_state
    {
        [FieldOffset(0)] public fixed byte dummy[512];
        [FieldOffset(0)] public kvm_pic_state pic;
        [FieldOffset(0)] public kvm_ioapic_state ioapic;
    }
}

/// <summary>One 8259A.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_pic_state
{
    public byte last_irr;
    public byte irr;
    public byte imr;
    public byte isr;
    public byte priority_add;
    public byte irq_base;
    public byte read_reg_select;
    public byte poll;
    public byte special_mask;
    public byte init_state;
    public byte auto_eoi;
    public byte rotate_on_auto_eoi;
    public byte special_fully_nested_mode;
    public byte init4;
    public byte elcr;
    public byte elcr_mask;
}

/// <summary>The I/O APIC.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_ioapic_state
{
    public ulong base_address;
    public uint ioregsel;
    public uint id;
    public uint irr;
    public uint pad;

    /// <summary>The redirection entries as the 64-bit registers they are.</summary>
    public fixed ulong redirtbl[(int)KvmConstants.KVM_IOAPIC_NUM_PINS];
}

/// <summary>Options of the in-kernel 8254 (api.rst, KVM_CREATE_PIT2).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_pit_config
{
    public uint flags;
    public fixed uint pad[15];
}

/// <summary>One counter of the in-kernel 8254 (api.rst, KVM_GET_PIT2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_pit_channel_state
{
    /// <summary>1 to 65536.</summary>
    public uint count;
    public ushort latched_count;
    public byte count_latched;
    public byte status_latched;
    public byte status;

    /// <summary>Which byte comes next: 1 low, 2 high, 3 low of two, 4 high of two.</summary>
    public byte read_state;
    public byte write_state;
    public byte write_latch;

    /// <summary>Bits 4 and 5 of the control word: 3 is the low, then the high byte.</summary>
    public byte rw_mode;
    public byte mode;
    public byte bcd;
    public byte gate;

    /// <summary>Host's monotonic time in ns.</summary>
    public long count_load_time;
}

/// <summary>The in-kernel 8254 (api.rst, KVM_GET_PIT2).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_pit_state2
{
    private const int ChannelSize = 24;

    /// <summary>Three <see cref="kvm_pit_channel_state"/>; see <see cref="Channel"/>.</summary>
    public fixed byte channels[3 * ChannelSize];
    public uint flags;
    public fixed uint reserved[9];

    /// <summary>One of the channels, 0 to 2.</summary>
    [UnscopedRef]
    public ref kvm_pit_channel_state Channel(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)index, 2u);
        return ref Unsafe.As<byte, kvm_pit_channel_state>(ref channels[index * ChannelSize]);
    }
}

/// <summary>An eventfd that raises a GSI (api.rst, KVM_IRQFD).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_irqfd
{
    public uint fd;
    public uint gsi;

    /// <summary>KVM_IRQFD_FLAG_* bits.</summary>
    public uint flags;
    public uint resamplefd;
    public fixed byte pad[16];
}

/// <summary>Header before <see cref="nr"/> times <see cref="kvm_irq_routing_entry"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irq_routing
{
    public uint nr;
    public uint flags;
}

/// <summary>Where one GSI goes (api.rst, KVM_SET_GSI_ROUTING).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irq_routing_entry
{
    public uint gsi;

    /// <summary>KVM_IRQ_ROUTING_*: which member of <see cref="u"/> counts.</summary>
    public uint type;
    public uint flags;
    public uint pad;
    public routing_target u;

    [StructLayout(LayoutKind.Explicit, Size = 32)]
    public unsafe struct routing_target
    {
        [FieldOffset(0)] public kvm_irq_routing_irqchip irqchip;
        [FieldOffset(0)] public kvm_irq_routing_msi msi;
        [FieldOffset(0)] public fixed uint pad[8];
    }
}

/// <summary>A pin of an in-kernel controller.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irq_routing_irqchip
{
    public uint irqchip;
    public uint pin;
}

/// <summary>A message-signalled interrupt.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct kvm_irq_routing_msi
{
    [FieldOffset(0)] public uint address_lo;
    [FieldOffset(4)] public uint address_hi;
    [FieldOffset(8)] public uint data;
    [FieldOffset(12)] public uint pad;
    [FieldOffset(12)] public uint devid;
}

/// <summary>A message-signalled interrupt to send now (api.rst, KVM_SIGNAL_MSI).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_msi
{
    public uint address_lo;
    public uint address_hi;
    public uint data;
    public uint flags;
    public uint devid;
    public fixed byte pad[12];
}
