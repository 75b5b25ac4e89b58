namespace MiniVmm.Host;

/// <summary>
/// A system call that failed. The message is one line for a person: what failed, why in words, the errno's name, and
/// what to do.
/// </summary>
public class SystemCallException : Exception
{
    /// <summary>A call that failed with an errno.</summary>
    /// <param name="operation">The call ("epoll_create1"), or a call and its object ("read eventfd").</param>
    /// <param name="errno">The positive error number.</param>
    public SystemCallException(string operation, int errno)
        : this(operation, operation, errno, GenericHint(errno))
    {
    }

    /// <summary>A call that failed with an errno.</summary>
    /// <param name="operation">Which call it was, for programs.</param>
    /// <param name="subject">The same for people, as the message begins.</param>
    /// <param name="errno">The positive error number.</param>
    /// <param name="hint">What to do about it, one clause without a full stop; empty for nothing.</param>
    protected SystemCallException(string operation, string subject, int errno, string hint)
        : base(hint.Length == 0 ? $"{subject}: {Host.Errno.Explain(errno)}" : $"{subject}: {Host.Errno.Explain(errno)}; {hint}")
    {
        Operation = operation;
        Errno = errno;
        ErrnoName = Host.Errno.Name(errno);
        Hint = hint;
    }

    /// <summary>A call that succeeded with an answer that cannot be used.</summary>
    /// <param name="operation">Which call it was.</param>
    /// <param name="answer">What it said.</param>
    /// <param name="hint">What to do about it, one clause without a full stop.</param>
    protected SystemCallException(string operation, string answer, string hint)
        : base($"{operation}: {answer}; {hint}")
    {
        Operation = operation;
        ErrnoName = "";
        Hint = hint;
    }

    /// <summary>The call, or the ioctl's name, or a call and its object: "KVM_CREATE_VM", "open /dev/kvm".</summary>
    public string Operation { get; }

    /// <summary>The error number; 0 if the call itself succeeded with an answer that cannot be used.</summary>
    public int Errno { get; }

    /// <summary>"EACCES"; empty if <see cref="Errno"/> is 0.</summary>
    public string ErrnoName { get; }

    /// <summary>What to do about it; empty if there is nothing better to say than the error.</summary>
    public string Hint { get; }

    /// <summary>What to do about an errno whatever the call was; empty if nothing useful can be said.</summary>
    protected static string GenericHint(int errno) => errno switch
    {
        Host.Errno.EMFILE or Host.Errno.ENFILE => "raise the limit of open files (ulimit -n)",
        Host.Errno.EPERM or Host.Errno.EACCES => "a security policy of the host forbids it",
        Host.Errno.ENOMEM => "the host is out of memory",
        _ => "",
    };
}
