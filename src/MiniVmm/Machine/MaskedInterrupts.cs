using System.Buffers.Binary;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// Interrupt controllers of which nothing arrives before the kernel says so: what the Limine protocol leaves (its "Machine
/// State at Entry", x86-64), where a BIOS leaves lines open. KVM's I/O APIC is masked from its start.
/// </summary>
internal static class MaskedInterrupts
{
    private const int SpuriousVector = 0xf0;
    private const int FirstLocalVector = 0x320; // timer, thermal, counters, LINT0, LINT1, error: 16 bytes each
    private const int LastLocalVector = 0x370;
    private const uint EnabledWithVector255 = 0x1ff;
    private const uint Masked = 1 << 16;

    /// <summary>Masks all lines of the 8259s.</summary>
    /// <exception cref="KvmException">The VM has no irqchip.</exception>
    public static void SetUp(KvmVm vm)
    {
        foreach (uint chip in (ReadOnlySpan<uint>)[KvmConstants.KVM_IRQCHIP_PIC_MASTER, KvmConstants.KVM_IRQCHIP_PIC_SLAVE])
        {
            kvm_irqchip state = vm.GetIrqChip(chip);
            state.chip.pic.imr = 0xff;
            vm.SetIrqChip(state);
        }
    }

    /// <summary>Enables a vCPU's local APIC, and masks its lines.</summary>
    /// <exception cref="KvmException">KVM refused.</exception>
    public static unsafe void SetUp(KvmVcpu vcpu)
    {
        kvm_lapic_state state = vcpu.GetLapic();
        // SAFETY: the offsets are below KVM_APIC_REG_SIZE.
        Span<byte> registers = new(state.regs, (int)KvmConstants.KVM_APIC_REG_SIZE);
        BinaryPrimitives.WriteUInt32LittleEndian(registers[SpuriousVector..], EnabledWithVector255);
        for (int at = FirstLocalVector; at <= LastLocalVector; at += 16)
        {
            uint line = BinaryPrimitives.ReadUInt32LittleEndian(registers[at..]);
            BinaryPrimitives.WriteUInt32LittleEndian(registers[at..], line | Masked);
        }

        vcpu.SetLapic(state);
    }
}
