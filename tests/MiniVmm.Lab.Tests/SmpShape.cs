using System.Numerics;

namespace MiniVmm.Lab.Tests;

/// <summary>What <c>--smp</c> asked for, and what Linux must make of it.</summary>
/// <remarks>APIC identifiers: thread, core and socket each have a field as wide as their count needs
/// (SDM vol. 3, 9.9.1), so with three cores there are gaps.</remarks>
public sealed record SmpShape(int Sockets, int Cores, int Threads)
{
    public int Count => Sockets * Cores * Threads;

    public void AssertSeenIn(GuestReport report)
    {
        string all = Count == 1 ? "0" : $"0-{Count - 1}";
        Assert.Equal(Count, report.Number("nproc"));
        Assert.Equal(all, report["possible"]);
        Assert.Equal(all, report["present"]);
        Assert.Equal(all, report["online"]);
        Assert.All(Enumerable.Range(0, Count), cpu =>
        {
            int package = cpu / (Cores * Threads);
            int core = cpu / Threads;
            Assert.Equal(ApicId(cpu), report.Number($"cpu{cpu}.apicid"));
            Assert.Equal(ApicId(cpu), report.Number($"cpu{cpu}.initial_apicid"));
            Assert.Equal(package, report.Number($"cpu{cpu}.physical_id"));
            Assert.Equal(Cores * Threads, report.Number($"cpu{cpu}.siblings"));
            Assert.Equal(Cores, report.Number($"cpu{cpu}.cpu_cores"));
            Assert.Equal(package, report.Number($"cpu{cpu}.topology_physical_package_id"));
            Assert.Equal(Group(package, Cores * Threads), report[$"cpu{cpu}.topology_package_cpus_list"]);
            Assert.Equal(Group(core, Threads), report[$"cpu{cpu}.topology_core_cpus_list"]);
        });
    }

    private static string Group(int index, int size) =>
        size == 1 ? $"{index}" : $"{index * size}-{(index * size) + size - 1}";

    private static int Width(int count) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)count));

    private int ApicId(int cpu)
    {
        int thread = cpu % Threads;
        int core = cpu / Threads % Cores;
        int socket = cpu / (Cores * Threads);
        return (((socket << Width(Cores)) | core) << Width(Threads)) | thread;
    }
}
