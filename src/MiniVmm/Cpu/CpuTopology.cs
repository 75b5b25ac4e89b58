using System.Numerics;

namespace MiniVmm.Cpu;

/// <summary>
/// How many vCPUs a guest has, and how they are arranged: sockets of cores of hardware threads. vCPUs are
/// numbered thread first, then core, then socket, so neighbours share the most.
/// </summary>
public sealed record CpuTopology
{
    /// <summary>Most vCPUs that any x86 KVM can be built for (CONFIG_KVM_MAX_NR_VCPUS).</summary>
    public const int Limit = 4096;

    /// <param name="sockets">Sockets, from 1.</param>
    /// <param name="cores">Cores of one socket, from 1.</param>
    /// <param name="threads">Threads of one core, from 1.</param>
    /// <param name="count">vCPUs present from the start, the first ones; all of them if left out.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number below 1, more than <see cref="Limit"/> vCPUs, or
    /// more present than there are places for.</exception>
    public CpuTopology(int sockets, int cores = 1, int threads = 1, int? count = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sockets, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(cores, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        long places = Product(sockets, cores, threads);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(places, Limit, nameof(sockets));
        int present = count ?? (int)places;
        ArgumentOutOfRangeException.ThrowIfLessThan(present, 1, nameof(count));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(present, places, nameof(count));

        Sockets = sockets;
        Cores = cores;
        Threads = threads;
        MaxCpus = (int)places;
        Count = present;
    }

    /// <summary>One vCPU, what a machine has when nothing is asked for.</summary>
    public static CpuTopology Single { get; } = new(1);

    public int Sockets { get; }

    /// <summary>Cores of one socket.</summary>
    public int Cores { get; }

    /// <summary>Hardware threads of one core.</summary>
    public int Threads { get; }

    /// <summary>vCPUs present from the start: 0 to <c>Count - 1</c>.</summary>
    public int Count { get; }

    /// <summary>Sockets × cores × threads: the places for vCPUs, present or not.</summary>
    public int MaxCpus { get; }

    /// <summary>Whether there are places for more vCPUs than are present from the start, so that they may come and go.</summary>
    public bool CanChange => Count < MaxCpus;

    /// <summary>vCPUs that one socket holds.</summary>
    public int ThreadsPerSocket => Cores * Threads;

    /// <summary>Bits of the APIC id that number the thread in its core; 0 for one thread.</summary>
    public int ThreadBits => BitWidth(Threads);

    /// <summary>Bits of the APIC id that number the core in its socket; 0 for one core.</summary>
    public int CoreBits => BitWidth(Cores);

    /// <summary>How far an APIC id is shifted right to give the socket.</summary>
    public int PackageShift => ThreadBits + CoreBits;

    /// <summary>APIC id of the last place. Above 254 (0xFF is broadcast) a guest needs x2APIC.</summary>
    public uint MaxApicId => ApicId(MaxCpus - 1);

    /// <summary>
    /// The vCPU's APIC id: thread, core and socket number packed into fields of whole bits (SDM vol. 3A, 10.9.3),
    /// so ids have gaps when cores or threads are no power of two.
    /// </summary>
    /// <param name="index">vCPU number, 0 to <c>MaxCpus - 1</c>.</param>
    public uint ApicId(int index)
    {
        (int socket, int core, int thread) = Position(index);
        return ((uint)socket << PackageShift) | ((uint)core << ThreadBits) | (uint)thread;
    }

    /// <summary>Where the vCPU sits: socket of the machine, core of the socket, thread of the core.</summary>
    /// <param name="index">vCPU number, 0 to <c>MaxCpus - 1</c>.</param>
    public (int Socket, int Core, int Thread) Position(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, MaxCpus);
        return (index / ThreadsPerSocket, index / Threads % Cores, index % Threads);
    }

    /// <summary>"2 sockets × 1 core × 2 threads = 4 vCPUs", or "… = 3 vCPUs, up to 4" with one absent.</summary>
    public override string ToString()
    {
        string text = $"{Shape(Sockets, Cores, Threads)} = {Plural(Count, "vCPU")}";
        return Count < MaxCpus ? $"{text}, up to {MaxCpus}" : text;
    }

    internal static string Shape(int sockets, int cores, int threads) =>
        $"{Plural(sockets, "socket")} × {Plural(cores, "core")} × {Plural(threads, "thread")}";

    internal static string Plural(long number, string noun) => number == 1 ? $"1 {noun}" : $"{number} {noun}s";

    /// <summary>The product, or <see cref="long.MaxValue"/> when it cannot be counted.</summary>
    internal static long Product(int a, int b, int c)
    {
        Int128 product = (Int128)a * b * c;
        return product > long.MaxValue ? long.MaxValue : (long)product;
    }

    /// <summary>Bits that count to <paramref name="number"/> - 1: the smallest n with 2^n ≥ number.</summary>
    internal static int BitWidth(int number) => number > 1 ? BitOperations.Log2((uint)number - 1) + 1 : 0;
}
