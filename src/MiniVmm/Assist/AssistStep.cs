namespace MiniVmm.Assist;

/// <summary>How the execution of an instruction went; registers are as they were unless it is <see cref="Done"/>.</summary>
internal enum AssistStep
{
    /// <summary>Not one of these, or not in this state.</summary>
    Unknown,

    /// <summary>It is done, but for RIP.</summary>
    Done,

    /// <summary>It is done, and ends in an exception.</summary>
    Trap,
    InvalidOpcode,

    /// <summary>With error code 0.</summary>
    GeneralProtection,
    DeviceNotAvailable,
    MathFault,

    /// <summary>An access to memory failed: <see cref="GuestOperands.Fault"/> says how.</summary>
    MemoryFault,
}
