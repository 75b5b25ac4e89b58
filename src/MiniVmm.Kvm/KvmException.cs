using MiniVmm.Host;

namespace MiniVmm.Kvm;

/// <summary>A call that KVM refused, with what to do about it (<see cref="KvmHints"/>).</summary>
public sealed class KvmException : SystemCallException
{
    private const string OpenPrefix = "open ";

    /// <summary>A call that failed with an errno.</summary>
    /// <param name="operation">The ioctl's name ("KVM_CREATE_VM"), or a call and its object ("open /dev/kvm").</param>
    /// <param name="errno">The positive error number.</param>
    /// <param name="detail">The argument that tells this call from others, as in "id 5"; may be left out.</param>
    public KvmException(string operation, int errno, string? detail = null)
        : base(operation, Subject(operation, detail), errno, HintFor(operation, errno))
    {
    }

    private KvmException(string operation, string answer, string hint)
        : base(operation, answer, hint)
    {
    }

    /// <summary>A call that succeeded, with an answer that cannot be used.</summary>
    internal static KvmException Unusable(string operation, string answer, string hint) => new(operation, answer, hint);

    private static string HintFor(string operation, int errno) =>
        KvmHints.For(operation, errno) is { Length: > 0 } hint ? hint : GenericHint(errno);

    private static string Subject(string operation, string? detail)
    {
        ArgumentNullException.ThrowIfNull(operation);
        if (operation.StartsWith(OpenPrefix, StringComparison.Ordinal))
            operation = operation[OpenPrefix.Length..];
        return detail is null ? operation : $"{operation}({detail})";
    }
}
