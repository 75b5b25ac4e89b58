using System.Runtime.InteropServices;
using MiniVmm.Host;

namespace MiniVmm.Kvm;

/// <summary>Is shown a call that was made: at once, on the thread that made it, while its argument is still there.</summary>
/// <param name="fd">Whose.</param>
/// <param name="request">Which.</param>
/// <param name="argument">A number, or where the argument's block is, as the call left it.</param>
/// <param name="result">What it returned, or the errno negated.</param>
internal delegate void KvmCallObserver(int fd, uint request, nuint argument, int result);

/// <summary>The way every ioctl but KVM_RUN goes.</summary>
internal static unsafe class KvmCall
{
    /// <summary>Is shown every call of the process; null, as it nearly always is, for nobody.</summary>
    internal static KvmCallObserver? Observer { get; set; }

    /// <summary>Calls again for as long as a signal gets in between.</summary>
    /// <returns>What the request returns, or the errno negated.</returns>
    internal static int Try(int fd, uint request, nuint argument)
    {
        while (true)
        {
            int result = Linux.Ioctl(fd, request, argument);
            if (result < 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                if (errno == Errno.EINTR)
                    continue;
                result = -errno;
            }

            Observer?.Invoke(fd, request, argument, result);
            return result;
        }
    }

    /// <inheritdoc cref="Try(int, uint, nuint)"/>
    internal static int Try(int fd, uint request, void* argument) => Try(fd, request, (nuint)argument);

    /// <summary>Calls, and throws what went wrong under <paramref name="operation"/>'s name.</summary>
    internal static int Must(string operation, int fd, uint request, nuint argument)
    {
        int result = Try(fd, request, argument);
        return result >= 0 ? result : throw new KvmException(operation, -result);
    }

    /// <inheritdoc cref="Must(string, int, uint, nuint)"/>
    internal static int Must(string operation, int fd, uint request, void* argument) =>
        Must(operation, fd, request, (nuint)argument);
}
