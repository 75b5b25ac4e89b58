namespace MiniVmm.Execution;

/// <summary>What a vCPU came out for, as the run loop tells them apart.</summary>
internal enum ExitKind
{
    /// <summary>Nothing to do: enter again.</summary>
    Nothing,
    PortRead,
    PortWrite,
    MmioRead,
    MmioWrite,

    /// <summary>KVM_EXIT_HLT: only where KVM has no interrupt controllers, which wait for the wake-up themselves.</summary>
    Halt,

    /// <summary>KVM_EXIT_SHUTDOWN: a fault while delivering a double fault.</summary>
    TripleFault,

    /// <summary>KVM_EXIT_INTERNAL_ERROR: KVM could not emulate or deliver something.</summary>
    InternalError,

    /// <summary>KVM_EXIT_FAIL_ENTRY: the processor refused the guest state.</summary>
    FailedEntry,

    /// <summary>KVM_EXIT_DEBUG: a breakpoint or a step of a debugger's.</summary>
    Debug,

    /// <summary>KVM_EXIT_SYSTEM_EVENT of type shutdown.</summary>
    SystemShutdown,

    /// <summary>KVM_EXIT_SYSTEM_EVENT of type reset.</summary>
    SystemReset,

    /// <summary>KVM_EXIT_X86_RDMSR or KVM_EXIT_X86_WRMSR: an MSR that KVM does not know, while somebody traces them.</summary>
    UnknownMsr,

    /// <summary>An exit that a machine of this configuration should not see.</summary>
    Unhandled,
}

/// <summary>One decoded exit. The data lies in the kvm_run mapping and is good until the next entry.</summary>
internal unsafe ref struct VmExit
{
    public ExitKind Kind;

    /// <summary>Port, or guest-physical address.</summary>
    public ulong Address;

    /// <summary>The bytes to take or to fill: <see cref="Count"/> items of <see cref="Size"/> bytes.</summary>
    public byte* Data;

    /// <summary>Bytes an item: 1, 2 or 4 for a port, 1 to 8 for memory.</summary>
    public int Size;

    /// <summary>Items: more than 1 for string I/O, which all go to the same port.</summary>
    public uint Count;
}
