namespace MiniVmm.Diagnostics;

/// <summary>A call that a stack shows.</summary>
/// <param name="Address">Where it goes on, or RIP for the innermost.</param>
/// <param name="IsGuess">Whether it is only a word on the stack that looks like a return address.</param>
internal readonly record struct StackFrame(ulong Address, bool IsGuess);
