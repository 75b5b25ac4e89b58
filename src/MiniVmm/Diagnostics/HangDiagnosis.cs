using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Diagnostics;

/// <summary>Why a vCPU that waits, waits for ever.</summary>
internal static unsafe class HangDiagnosis
{
    private const int InService = 0x100; // the local APIC's ISR (SDM vol. 3, table 10-1); the IRR is 0x200
    private const int Requested = 0x200;
    private const int Registers = 8;
    private const int Stride = 16;

    /// <summary>What stands out; null for nothing.</summary>
    public static Finding? Of(VcpuSnapshot snapshot, KvmVcpu vcpu)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(vcpu);
        bool halted = snapshot.MpState == KvmConstants.KVM_MP_STATE_HALTED;
        bool off = (snapshot.View.Regs.rflags & ControlBits.RflagsIf) == 0;
        if (halted && off)
            return new("halted-interrupts-off", "it halted with interrupts off: nothing but an NMI can wake it");
        kvm_lapic_state lapic;
        try
        {
            lapic = vcpu.GetLapic();
        }
        catch (KvmException)
        {
            return null; // a machine without interrupt controllers
        }

        return OfApic(new ReadOnlySpan<byte>(lapic.regs, 0x400), off);
    }

    /// <summary>What the local APIC's registers tell.</summary>
    internal static Finding? OfApic(ReadOnlySpan<byte> apic, bool interruptsOff)
    {
        int serving = Highest(apic, InService);
        int waiting = Highest(apic, Requested);
        if (serving < 0 || waiting < 0 || waiting >> 4 > serving >> 4)
            return null;
        return interruptsOff
            ? null // its handler may be on its way to the EOI
            : new(
                "no-eoi",
                $"interrupt 0x{serving:x} is in service: its handler gave no EOI, so interrupt 0x{waiting:x} and all others of the same "
                + "or lower priority wait for ever");
    }

    private static int Highest(ReadOnlySpan<byte> apic, int bank)
    {
        for (int i = Registers - 1; i >= 0; i--)
        {
            uint bits = BitConverter.ToUInt32(apic[(bank + i * Stride)..]);
            if (bits != 0)
                return i * 32 + 31 - System.Numerics.BitOperations.LeadingZeroCount(bits);
        }

        return -1;
    }
}
