using System.Diagnostics;
using System.Globalization;
using MiniVmm.Boot;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Machine;

namespace MiniVmm.Teaching.Doctor;

/// <summary>
/// What one supervisor instruction of a guest costs: a loop of <see cref="Turns"/> LOOP instructions in protected mode, less one
/// of a single turn, each the fastest of several. A processor takes less than a few nanoseconds for one; a kernel that
/// emulates it fetches, decodes and carries it out in software.
/// </summary>
/// <param name="Nanoseconds">For one instruction.</param>
internal readonly record struct SupervisorTiming(double Nanoseconds)
{
    public const int Turns = 20_000;

    /// <summary>
    /// From here on the code is emulated: some thirty times what a slow processor needs, and a quarter of what KVM's
    /// emulator was measured to need.
    /// </summary>
    public const double EmulatedFrom = 100;

    private const int Tries = 5;
    private const ulong Start = 0x1000;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    public bool IsEmulated => Nanoseconds >= EmulatedFrom;

    public string Text => string.Create(
        CultureInfo.InvariantCulture, $"{Nanoseconds:0.0} ns an instruction, from {Turns:#,0} turns of a loop");

    /// <summary>Runs the guest.</summary>
    /// <exception cref="KvmException">KVM refused something.</exception>
    /// <exception cref="VmmException">The host has no memory for it, or the guest did not come to its end.</exception>
    public static SupervisorTiming Take(KvmSystem kvm)
    {
        byte[] code = [0xe2, 0xfe, 0xf4]; // loop to itself; hlt
        using MachineCore core = new(kvm);
        core.MapRam(2 << 20);
        core.Memory.Ram.Load(new("loop", Start, code));
        KvmVcpu vcpu = core.Own(core.Vm.CreateVcpu(0));
        vcpu.SetCpuid2(kvm.GetSupportedCpuid());
        EntryState entry = new(EntryMode.Protected32, Start);
        kvm_sregs sregs = EntryRegisters.Special(entry, vcpu.GetSregs());
        TimeSpan one = TimeSpan.MaxValue;
        TimeSpan many = TimeSpan.MaxValue;
        for (int i = 0; i < Tries; i++)
        {
            one = Least(one, Time(vcpu, sregs, EntryRegisters.General(entry), 1));
            many = Least(many, Time(vcpu, sregs, EntryRegisters.General(entry), Turns));
        }

        return new(Math.Max(0, (many - one).TotalNanoseconds) / (Turns - 1));
    }

    private static unsafe TimeSpan Time(KvmVcpu vcpu, in kvm_sregs sregs, kvm_regs regs, ulong turns)
    {
        regs.rcx = turns;
        vcpu.SetSregs(sregs);
        vcpu.SetRegs(regs);
        long begun = Stopwatch.GetTimestamp();
        while (true)
        {
            int error = vcpu.Enter();
            TimeSpan took = Stopwatch.GetElapsedTime(begun);
            if (error == 0 && vcpu.Run->exit_reason == KvmExitReason.KVM_EXIT_HLT)
                return took;
            if (error == 0)
                throw new HostLimitException($"a guest of two instructions ended with {vcpu.Run->exit_reason}, not KVM_EXIT_HLT");
            if (error != Errno.EINTR)
                throw new KvmException("KVM_RUN", error);
            if (took > Longest)
                throw new HostLimitException($"a guest of two instructions did not end in {Longest.TotalSeconds} seconds");
        }
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
