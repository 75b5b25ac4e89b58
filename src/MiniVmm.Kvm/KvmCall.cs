using System.Runtime.InteropServices;
using MiniVmm.Host;

namespace MiniVmm.Kvm;

/// <summary>The way every ioctl but KVM_RUN goes.</summary>
internal static unsafe class KvmCall
{
    /// <summary>Calls again for as long as a signal gets in between.</summary>
    /// <returns>What the request returns, or the errno negated.</returns>
    internal static int Try(int fd, uint request, nuint argument)
    {
        while (true)
        {
            int result = Linux.Ioctl(fd, request, argument);
            if (result >= 0)
                return result;
            int errno = Marshal.GetLastPInvokeError();
            if (errno != Errno.EINTR)
                return -errno;
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
