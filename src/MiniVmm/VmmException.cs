namespace MiniVmm;

/// <summary>
/// An error that a person can act on. Its message is the whole line that <c>minivmm</c> prints: what was
/// wrong, with which value, and what to do. Never shown with a stack trace.
/// </summary>
public abstract class VmmException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Bad arguments, or an input file that cannot be used.</summary>
public sealed class BadInputException(string message, Exception? inner = null) : VmmException(message, inner);

/// <summary>The host cannot do what was asked (no /dev/kvm, no huge pages, …).</summary>
public sealed class HostLimitException(string message, Exception? inner = null) : VmmException(message, inner);
