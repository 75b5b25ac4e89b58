using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Memory;

namespace MiniVmm.Gdb;

/// <summary>A machine as its debugger has it.</summary>
internal interface IDebuggedMachine
{
    /// <summary>All vCPUs, those that are out of the machine too; more may come.</summary>
    IReadOnlyList<VcpuThread> Vcpus { get; }

    GuestMemory Memory { get; }

    /// <summary>The buses, by what they are called.</summary>
    IReadOnlyList<(string Name, Bus Bus)> Buses { get; }

    /// <summary>Whether KVM can hold interrupts back from a vCPU that makes one step (KVM_GUESTDBG_BLOCKIRQ).</summary>
    bool CanHoldInterrupts { get; }

    /// <summary>Whether this KVM emulates the guest's supervisor code, and passes over debug registers that watch memory.</summary>
    bool MissesWatchpoints { get; }

    /// <summary>Bytes of a vCPU's XSAVE area, or 0 where KVM does not say.</summary>
    int ExtendedStateSize { get; }

    /// <summary>Why a vCPU has died, for people: lines that end in a line feed. All of them are out of the guest.</summary>
    string ExplainDeath(VcpuThread vcpu);

    /// <summary>
    /// Stops the guest's time: returns when no vCPU is in the guest and the devices are idle. Without effect where it stands still
    /// for the debugger already.
    /// </summary>
    /// <exception cref="VmmException">It cannot be stopped now, and runs on.</exception>
    void Hold();

    /// <summary>Lets it go on, but for vCPUs that are held themselves.</summary>
    void Release();

    /// <summary>Ends the machine.</summary>
    void End(StopReason reason);
}
