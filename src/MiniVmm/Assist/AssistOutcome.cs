namespace MiniVmm.Assist;

/// <summary>What became of an instruction that KVM gave back.</summary>
internal enum AssistOutcome
{
    /// <summary>Nothing: the assist does not know it, or not exactly.</summary>
    NotMine,

    /// <summary>It is done; the registers are those behind it.</summary>
    Completed,

    /// <summary>It raised an exception, which is to be delivered; the registers are what the handler is to find.</summary>
    Raised,
}
