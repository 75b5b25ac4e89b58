using System.Globalization;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Execution;

/// <summary>Which host CPU each vCPU runs on: <c>--pin 0,2</c> or <c>0-3</c>, in the order of the vCPUs.</summary>
public static class PinList
{
    private const int MaxCpu = 1023; // cpu_set_t

    /// <summary>Reads a list with one host CPU for each vCPU.</summary>
    /// <exception cref="BadInputException">Not such a list, or not one CPU for each vCPU.</exception>
    public static IReadOnlyList<int> Parse(string text, int vcpus)
    {
        IReadOnlyList<int> cpus = Parse(text);
        return cpus.Count == vcpus
            ? cpus
            : throw new BadInputException(
                $"--pin {text}: names {cpus.Count} host CPU{(cpus.Count == 1 ? "" : "s")} "
                + $"for {vcpus} vCPU{(vcpus == 1 ? "" : "s")}; name one for each");
    }

    /// <summary>Reads a list as taskset and cpuset write it.</summary>
    /// <exception cref="BadInputException">Not such a list.</exception>
    public static IReadOnlyList<int> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> cpus = [];
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !TryCpu(ends[0], out int first) || !TryCpu(ends[^1], out int last) || last < first)
            {
                throw new BadInputException(
                    $"--pin {text}: '{part}' is not a host CPU; write numbers and ranges from 0 to {MaxCpu}, "
                    + "as in 0,2 or 0-3");
            }

            cpus.AddRange(Enumerable.Range(first, last - first + 1));
        }

        return cpus;
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
                $"--pin: host CPU {cpu} is not available to this process; it may use {string.Join(',', allowed)}");
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
            throw new HostLimitException($"--pin: {who} cannot run on host CPU {cpu}: {Errno.Explain(errno)}");
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

    private static bool TryCpu(string text, out int cpu) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out cpu) && cpu <= MaxCpu;
}
