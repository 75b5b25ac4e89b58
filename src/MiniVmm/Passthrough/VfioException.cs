using MiniVmm.Host;

namespace MiniVmm.Passthrough;

/// <summary>A call to VFIO that failed, with what to do about it.</summary>
internal sealed class VfioException : SystemCallException
{
    /// <summary>A call that failed.</summary>
    /// <param name="operation">The ioctl's name, or a call and its object: "open /dev/vfio/3".</param>
    /// <param name="error">What the call gave: the errno, negated or not.</param>
    /// <param name="hint">What to do about it, one clause; null for what the errno alone suggests.</param>
    public VfioException(string operation, nint error, string? hint = null)
        : base(operation, operation, Math.Abs((int)error), hint ?? GenericHint(Math.Abs((int)error)))
    {
    }

    /// <summary>Throws where a call failed, and gives its result where not.</summary>
    public static int Check(int result, string operation, string? hint = null) =>
        result >= 0 ? result : throw new VfioException(operation, result, hint);
}
