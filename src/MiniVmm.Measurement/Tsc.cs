using System.Diagnostics;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Measurement;

/// <summary>
/// The processor's time stamp counter: two dozen cycles to read, where a clock of the system costs a call. .NET has no
/// intrinsic for it, so the few instructions lie in a page of their own.
/// </summary>
public static unsafe class Tsc
{
    /// <summary>
    /// Reads the counter once everything before it is done (SDM vol. 2, RDTSC: LFENCE first). Safe without a GC
    /// transition: five instructions that cannot block.
    /// </summary>
    /// <exception cref="HostLimitException">The host does not let a program make code.</exception>
    public static delegate* unmanaged[SuppressGCTransition]<long> Read
    {
        get
        {
            if (s_read == null)
                s_read = Assemble();
            return s_read;
        }
    }

    private static delegate* unmanaged[SuppressGCTransition]<long> s_read;

    /// <summary>Begins to measure how fast the counter counts.</summary>
    public static TscClock StartClock() => new(Read(), Stopwatch.GetTimestamp());

    private static delegate* unmanaged[SuppressGCTransition]<long> Assemble()
    {
        ReadOnlySpan<byte> code =
        [
            0x0f, 0xae, 0xe8, // lfence
            0x0f, 0x31, // rdtsc
            0x48, 0xc1, 0xe2, 0x20, // shl rdx, 32
            0x48, 0x09, 0xd0, // or rax, rdx
            0xc3, // ret
        ];
        size_t length = (size_t)4096;
        void* page = mmap(null, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            throw new HostLimitException("the host has no page for MiniVmm's own code");
        code.CopyTo(new Span<byte>(page, 4096));
        return mprotect(page, length, PROT_READ | PROT_EXEC) == 0
            ? (delegate* unmanaged[SuppressGCTransition]<long>)page
            : throw new HostLimitException(
                "the host forbids code that is made at run time; without it the time stamp counter cannot be read");
    }
}

/// <summary>Two clocks side by side: the longer it runs, the better the frequency is known.</summary>
/// <param name="Ticks">Of the time stamp counter, at the start.</param>
/// <param name="Timestamp">Of <see cref="Stopwatch"/>, at the start.</param>
public readonly record struct TscClock(long Ticks, long Timestamp)
{
    /// <summary>Ticks of the time stamp counter in a second, from the start until now.</summary>
    public unsafe double Hertz => (Tsc.Read() - Ticks) / Stopwatch.GetElapsedTime(Timestamp).TotalSeconds;
}
