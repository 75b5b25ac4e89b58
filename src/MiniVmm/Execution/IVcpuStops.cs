namespace MiniVmm.Execution;

/// <summary>A debugger, told of exits that only it can make something of.</summary>
internal interface IVcpuStops
{
    /// <summary>
    /// Takes an exit that would end the machine, between two entries, on the vCPU's thread; allocates nothing. The vCPU waits then
    /// if it was told to (<see cref="VcpuThread.Hold"/>), else it goes on.
    /// </summary>
    /// <param name="vcpu">Index of the vCPU, whose kvm_run page says more.</param>
    /// <param name="kind">The exit.</param>
    /// <returns>False if the machine is to end.</returns>
    bool TryTake(int vcpu, ExitKind kind);
}
