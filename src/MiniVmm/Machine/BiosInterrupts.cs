using MiniVmm.Firmware;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// The 8254 and the 8259s as a PC's BIOS leaves them (SeaBIOS, src/hw/timer.c and pic.c), for kernels that rely on it: one
/// that only sets a count at port 0x40 has its timer. KVM's own state after creation is that before a BIOS.
/// </summary>
internal static class BiosInterrupts
{
    private const byte FirstVector = 0x08;
    private const byte SecondVector = 0x70;

    // A BIOS has handlers for these lines: timer, keyboard, cascade, diskette; clock, mouse, FPU, first ATA.
    private const byte FirstMask = unchecked((byte)~0b0100_0111);
    private const byte SecondMask = unchecked((byte)~0b0111_0001);

    private const byte RateGenerator = 2;
    private const byte LowThenHigh = 3;
    private const uint FullCount = 0x1_0000; // written as 0: 18.2 Hz

    /// <summary>Puts the controllers of a new VM into that state.</summary>
    /// <exception cref="KvmException">The VM has no irqchip or PIT.</exception>
    /// <param name="vm">The VM.</param>
    /// <param name="hasPci">Whether lines of the 8259s are those of a PCI bus, and so level-triggered.</param>
    public static void SetUp(KvmVm vm, bool hasPci = false)
    {
        int levels = hasPci ? InterruptWiring.PciIsaLines.Sum(line => 1 << line) : 0;
        SetPic(vm, KvmConstants.KVM_IRQCHIP_PIC_MASTER, FirstVector, FirstMask, (byte)levels);
        SetPic(vm, KvmConstants.KVM_IRQCHIP_PIC_SLAVE, SecondVector, SecondMask, (byte)(levels >> 8));
        vm.SetPit2(Pit(vm.GetPit2()));
    }

    /// <summary>An 8259 after ICW1 to ICW4 for the 8086, and OCW1.</summary>
    internal static kvm_pic_state Pic(kvm_pic_state reset, byte firstVector, byte mask, byte levels)
    {
        kvm_pic_state state = reset;
        state.elcr |= levels;
        state.irq_base = firstVector;
        state.imr = mask;
        state.init4 = 1;
        return state;
    }

    /// <summary>The 8254 after the control word for channel 0, and a count of 0.</summary>
    internal static kvm_pit_state2 Pit(kvm_pit_state2 reset)
    {
        kvm_pit_state2 state = reset;
        ref kvm_pit_channel_state timer = ref state.Channel(0);
        timer.mode = RateGenerator;
        timer.rw_mode = timer.read_state = timer.write_state = LowThenHigh;
        timer.count = FullCount;
        return state;
    }

    private static void SetPic(KvmVm vm, uint chip, byte firstVector, byte mask, byte levels)
    {
        kvm_irqchip state = vm.GetIrqChip(chip);
        state.chip.pic = Pic(state.chip.pic, firstVector, mask, levels);
        vm.SetIrqChip(state);
    }
}
