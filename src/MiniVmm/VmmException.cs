namespace MiniVmm;

/// <summary>
/// An error that a person can act on. Its message is the whole line that <c>minivmm</c> prints: what was
/// wrong, with which value, and what to do. Never shown with a stack trace.
/// </summary>
public abstract class VmmException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The exit status that the process ends with; even, see <see cref="ExitStatus"/>.</summary>
    public abstract int Status { get; }
}

/// <summary>Bad arguments, or an input file that cannot be used: exit status 2.</summary>
public sealed class BadInputException(string message, Exception? inner = null) : VmmException(message, inner)
{
    public override int Status => ExitStatus.BadInput;
}

/// <summary>The host cannot do what was asked (no /dev/kvm, no huge pages, …): exit status 4.</summary>
public sealed class HostLimitException(string message, Exception? inner = null) : VmmException(message, inner)
{
    public override int Status => ExitStatus.HostLimit;
}
