using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Passthrough.Abi;

namespace MiniVmm.Passthrough;

/// <summary>
/// What VFIO's information requests answer: a structure that begins with the bytes it has and then says how many it would
/// have liked, and a chain of capabilities behind it.
/// </summary>
internal static unsafe class VfioAnswer
{
    private const int MostBytes = 1 << 20;
    private const int MostCapabilities = 64;

    /// <summary>Asks, and asks again with as much room as the answer needs.</summary>
    /// <param name="question">The structure, with what it takes filled in; its first field, argsz, is set here.</param>
    /// <exception cref="VfioException">The call failed.</exception>
    public static byte[] Ask<T>(IVfioCalls calls, int fd, uint request, string operation, T question)
        where T : unmanaged
    {
        int size = sizeof(T);
        while (true)
        {
            byte[] answer = new byte[size];
            MemoryMarshal.Write(answer, question);
            MemoryMarshal.Write(answer, (uint)size);
            int result;
            fixed (byte* bytes = answer)
                result = calls.Ioctl(fd, request, (nint)bytes);
            uint wanted = MemoryMarshal.Read<uint>(answer);
            bool isTooSmall = wanted > size && wanted <= MostBytes && result is >= 0 or -Errno.ENOSPC;
            if (!isTooSmall)
            {
                VfioException.Check(result, operation);
                return answer;
            }

            size = (int)wanted;
        }
    }

    /// <summary>Where a capability is; null if the chain has none of that kind.</summary>
    /// <param name="first">Offset of the chain's first; 0 for none.</param>
    public static int? Capability(ReadOnlySpan<byte> answer, uint first, ushort id)
    {
        uint at = first;
        for (int i = 0; i < MostCapabilities && at != 0; i++)
        {
            if (at > int.MaxValue || !TryRead(answer, (int)at, out vfio_info_cap_header header))
                return null;
            if (header.id == id)
                return (int)at;
            at = header.next;
        }

        return null;
    }

    /// <summary>Reads a structure where it lies in the answer whole.</summary>
    public static bool TryRead<T>(ReadOnlySpan<byte> answer, int at, out T value)
        where T : unmanaged
    {
        value = default;
        return at >= 0 && at <= answer.Length && MemoryMarshal.TryRead(answer[at..], out value);
    }
}
