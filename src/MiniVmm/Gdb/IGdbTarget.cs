namespace MiniVmm.Gdb;

/// <summary>
/// What gdb's packets act on. Calls come from one thread; those about registers and memory only while the guest stands still.
/// They throw <see cref="VmmException"/> or <see cref="Host.SystemCallException"/> where the host or KVM refuses.
/// </summary>
internal interface IGdbTarget
{
    RegisterSet Registers { get; }

    /// <summary>Indices of the vCPUs that are in the machine; never empty.</summary>
    IReadOnlyList<int> Vcpus { get; }

    /// <summary>Whether interrupts, too, wait while a vCPU makes one step.</summary>
    bool StepsHoldInterrupts { get; set; }

    /// <summary>What gdb's list of threads says of a vCPU.</summary>
    string Describe(int vcpu);

    /// <param name="vcpu">Index of the vCPU.</param>
    /// <param name="values">Gets all registers; <see cref="RegisterSet.Size"/> bytes.</param>
    void ReadRegisters(int vcpu, Span<byte> values);

    /// <returns>False where a register cannot have that value; those before it have theirs.</returns>
    bool TryWriteRegisters(int vcpu, IEnumerable<GdbRegister> registers, ReadOnlyMemory<byte> values);

    /// <returns>How many bytes there are up to the first that cannot be read.</returns>
    int ReadMemory(int vcpu, ulong address, Span<byte> bytes, bool isPhysical);

    /// <returns>False where one of them cannot be written: none is then.</returns>
    bool TryWriteMemory(int vcpu, ulong address, ReadOnlySpan<byte> bytes, bool isPhysical);

    BreakpointAnswer Set(Breakpoint breakpoint);

    void Clear(Breakpoint breakpoint);

    /// <summary>Brings all vCPUs out of the guest.</summary>
    void Stop();

    /// <summary>Lets vCPUs run; <see cref="TryTakeStop"/> says when one has stopped.</summary>
    /// <param name="order">By index.</param>
    void Run(Func<int, VcpuOrder> order);

    /// <summary>Stops all vCPUs because one has stopped.</summary>
    /// <returns>False where none has, for anything that gdb is told of.</returns>
    bool TryTakeStop(out GdbStop stop);

    /// <summary>Takes all breakpoints away and lets the guest run.</summary>
    void Detach();

    /// <summary>Ends the machine.</summary>
    void Kill();

    /// <summary>Does what a user wrote behind gdb's <c>monitor</c>.</summary>
    /// <returns>What to show him.</returns>
    string Monitor(string command, int vcpu);
}
