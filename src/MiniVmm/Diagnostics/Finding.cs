namespace MiniVmm.Diagnostics;

/// <summary>Something that was found out about a death.</summary>
/// <param name="Name">One of the names of docs/post-mortem.md, as in "idt-limit-0"; stays the same from version to version.</param>
/// <param name="Text">In words, with the values.</param>
internal sealed record Finding(string Name, string Text);

/// <summary>Why a vCPU died, as far as its registers and memory tell.</summary>
/// <param name="Cause">What went wrong first; null where that cannot be told.</param>
/// <param name="Handling">Why the guest could not handle it; null where it is not that.</param>
internal sealed record Diagnosis(Finding? Cause, Finding? Handling)
{
    /// <summary>Nothing is known.</summary>
    public static Diagnosis None { get; } = new(null, null);
}
