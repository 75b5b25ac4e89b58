using System.Globalization;
using System.Text;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Execution;

/// <summary>The host CPUs that threads run on.</summary>
internal static class PinList
{
    /// <summary>Highest number of a host CPU that a thread can be tied to (cpu_set_t).</summary>
    public const int MaxCpu = 1023;

    /// <summary>Checks that there is a host CPU for each vCPU that there can be, or none for all.</summary>
    /// <exception cref="BadInputException">Too few, or too many.</exception>
    public static void RequireOneFor(int vcpus, IReadOnlyList<int> cpus)
    {
        ArgumentNullException.ThrowIfNull(cpus);
        if (cpus.Count == 0 || cpus.Count == vcpus)
            return;
        throw new BadInputException(
            $"{OptionName.Pin.With(Format(cpus))}: names {cpus.Count} host CPU{(cpus.Count == 1 ? "" : "s")} "
            + $"for {vcpus} vCPU{(vcpus == 1 ? "" : "s")}; name one for each");
    }

    /// <summary>Checks that this process may run on each of them.</summary>
    /// <exception cref="HostLimitException">It may not; lists those it may.</exception>
    public static void Check(IReadOnlyList<int> cpus)
    {
        IReadOnlyList<int> allowed = Allowed();
        if (allowed.Count == 0)
            return; // setting it will say
        foreach (int cpu in cpus.Except(allowed))
        {
            throw new HostLimitException(
                $"{OptionName.Pin}: host CPU {cpu} is not available to this process; it may use {string.Join(',', allowed)}");
        }
    }

    /// <summary>The host CPUs that this process may run on, ascending; empty if the host does not tell.</summary>
    public static unsafe IReadOnlyList<int> Allowed()
    {
        cpu_set_t allowed = default;
        if (sched_getaffinity(0, SizeOf.cpu_set_t, &allowed) != 0)
            return [];
        List<int> usable = [];
        for (int i = 0; i <= MaxCpu; i++)
        {
            if (CPU_ISSET(i, &allowed))
                usable.Add(i);
        }

        return usable;
    }

    /// <summary>Ties the calling thread to one host CPU.</summary>
    /// <param name="cpu">The host CPU.</param>
    /// <param name="who">Whose thread it is, for the error.</param>
    /// <exception cref="HostLimitException">The host does not let it.</exception>
    public static unsafe void PinThisThread(int cpu, string who)
    {
        cpu_set_t set = default;
        CPU_SET(cpu, &set);
        if (sched_setaffinity(0, SizeOf.cpu_set_t, &set) != 0)
            throw new HostLimitException($"{OptionName.Pin}: {who} cannot run on host CPU {cpu}: {Errno.Explain(errno)}");
    }

    /// <summary>
    /// Lets the calling thread run wherever the process's first one may: it began on the host CPUs of the thread that
    /// started it (sched_setaffinity(2)).
    /// </summary>
    public static unsafe void UnpinThisThread()
    {
        cpu_set_t set = default;
        if (sched_getaffinity(Environment.ProcessId, SizeOf.cpu_set_t, &set) == 0)
            _ = sched_setaffinity(0, SizeOf.cpu_set_t, &set); // else it stays where it is, which works too
    }

    /// <summary>As taskset(1) writes a list, in its order: "0-3,8".</summary>
    private static string Format(IReadOnlyList<int> cpus)
    {
        StringBuilder text = new();
        for (int first = 0, last; first < cpus.Count; first = last + 1)
        {
            last = first;
            while (last + 1 < cpus.Count && cpus[last + 1] == cpus[last] + 1)
                last++;
            if (last == first + 1)
                last = first; // of two, nobody writes a range
            text.Append(first == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"{cpus[first]}");
            if (last > first)
                text.Append(CultureInfo.InvariantCulture, $"-{cpus[last]}");
        }

        return text.ToString();
    }
}
