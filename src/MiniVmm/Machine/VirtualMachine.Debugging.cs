using MiniVmm.Boot;
using MiniVmm.Devices;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Gdb;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>A machine that gdb has in its hands.</summary>
public sealed partial class VirtualMachine
{
    private readonly GdbServer? _gdb;

    private GdbServer CreateGdbServer(StreamAddress address, MachinePlan plan)
    {
        _core.Debugger = new MachineDebugger(new Debugged(this), is64: !IsI386(plan.Options));
        if (plan.Options.GdbWaits)
            Pause(PauseReasons.Debugger);
        try
        {
            return new GdbServer(address, _core.Debugger, plan.Options.GdbWaits);
        }
        catch
        {
            _core.Debugger.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Whether gdb is to see an i386: it takes the symbols of a 32-bit ELF file for no other processor, and code without a file
    /// would be disassembled for another.
    /// </summary>
    private static bool IsI386(MachineOptions options)
    {
        if (options.Firmware is not null || options.Format is BinaryFormat.Flat16 or BinaryFormat.Flat32)
            return true;
        try
        {
            using FileStream file = File.OpenRead(options.Kernel);
            Span<byte> start = stackalloc byte[5];
            return file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length
                && start.SequenceEqual("\u007fELF\u0001"u8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
    }

    private sealed class Debugged(VirtualMachine machine) : IDebuggedMachine
    {
        public IReadOnlyList<VcpuThread> Vcpus => machine.Vcpus;

        public GuestMemory Memory => machine.Memory;

        public IReadOnlyList<(string Name, Bus Bus)> Buses => [("port", machine._core.Ports), ("memory", machine._core.Mmio)];

        public bool CanHoldInterrupts =>
            (machine._core.Vm.CheckExtension(KvmCapability.KVM_CAP_SET_GUEST_DEBUG2) & (int)KvmConstants.KVM_GUESTDBG_BLOCKIRQ) != 0;

        public bool MissesWatchpoints => EmulatedSupervisor.IsOn(new HostFiles());

        public int ExtendedStateSize => machine._core.Vm.CheckExtension(KvmCapability.KVM_CAP_XSAVE2);

        public string ExplainDeath(VcpuThread vcpu)
        {
            using KernelImage kernel = machine.OpenKernel();
            return new PostMortem(machine.Vcpus, machine.Memory, kernel).OfDeath(vcpu);
        }

        public void Hold() => machine.Pause(PauseReasons.Debugger);

        public void Release() => machine.Resume(PauseReasons.Debugger);

        public void End(StopReason reason) => machine.Stop(reason);
    }
}
