namespace MiniVmm.Execution;

/// <summary>A debugger, told of exits that only it can make something of.</summary>
internal interface IVcpuStops
{
    /// <summary>Whether an INT3 that vCPUs meet now may be the debugger's.</summary>
    bool HasWrittenBreakpoints { get; }

    /// <summary>
    /// Takes an exit that would end the machine, between two entries, on the vCPU's thread; allocates nothing. The vCPU waits then
    /// if it was told to (<see cref="VcpuThread.Hold"/>), else it goes on.
    /// </summary>
    /// <param name="vcpu">Index of the vCPU, whose kvm_run page says more.</param>
    /// <param name="kind">The exit.</param>
    /// <returns>False if the machine is to end.</returns>
    bool TryTake(int vcpu, ExitKind kind);

    /// <summary>
    /// Told that an instruction was completed in KVM's place, on the vCPU's thread: KVM ends no step by that. Allocates nothing.
    /// </summary>
    void Completed(int vcpu);
}
