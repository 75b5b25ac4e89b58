namespace MiniVmm.Kvm;

/// <summary>
/// A call that KVM, or Linux around it, refused. The message is one line for a person: what failed, why in
/// words, the errno's name, and what to do.
/// </summary>
public sealed class KvmException : Exception
{
    private const string OpenPrefix = "open ";

    /// <summary>A call that failed with an errno.</summary>
    /// <param name="operation">The ioctl's name ("KVM_CREATE_VM"), or a call and its object ("open /dev/kvm").</param>
    /// <param name="errno">The positive error number.</param>
    /// <param name="detail">The argument that tells this call from others, as in "id 5"; may be left out.</param>
    public KvmException(string operation, int errno, string? detail = null)
        : this(operation, errno, Subject(operation, detail), KvmHints.For(operation, errno))
    {
    }

    private KvmException(string operation, int errno, string subject, string hint)
        : base(hint.Length == 0
            ? $"{subject}: {Kvm.Errno.Describe(errno)} ({Kvm.Errno.Name(errno)})"
            : $"{subject}: {Kvm.Errno.Describe(errno)} ({Kvm.Errno.Name(errno)}); {hint}")
    {
        Operation = operation;
        Errno = errno;
        ErrnoName = Kvm.Errno.Name(errno);
        Hint = hint;
    }

    private KvmException(string operation, string answer, string hint)
        : base($"{operation}: {answer}; {hint}")
    {
        Operation = operation;
        ErrnoName = "";
        Hint = hint;
    }

    /// <summary>The ioctl's name, or a call and its object: "KVM_CREATE_VM", "open /dev/kvm".</summary>
    public string Operation { get; }

    /// <summary>The error number; 0 if the call itself succeeded with an answer that cannot be used.</summary>
    public int Errno { get; }

    /// <summary>"EACCES"; empty if <see cref="Errno"/> is 0.</summary>
    public string ErrnoName { get; }

    /// <summary>What to do about it; empty if there is nothing better to say than the error.</summary>
    public string Hint { get; }

    /// <summary>A call that succeeded, with an answer that cannot be used.</summary>
    internal static KvmException Unusable(string operation, string answer, string hint) => new(operation, answer, hint);

    private static string Subject(string operation, string? detail)
    {
        ArgumentNullException.ThrowIfNull(operation);
        if (operation.StartsWith(OpenPrefix, StringComparison.Ordinal))
            operation = operation[OpenPrefix.Length..];
        return detail is null ? operation : $"{operation}({detail})";
    }
}
