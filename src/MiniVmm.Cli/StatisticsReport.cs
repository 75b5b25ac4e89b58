using System.Globalization;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Machine;
using Spectre.Console;

namespace MiniVmm.Cli;

/// <summary><c>--stats</c>: what the vCPUs did, and how long the start took.</summary>
internal static class StatisticsReport
{
    public static void Print(VirtualMachine machine, Milestones milestones)
    {
        IAnsiConsole console = Tables.StandardError();
        console.WriteLine();
        console.Write(Exits(machine));
        console.WriteLine();
        if (machine.Vcpus.Any(vcpu => vcpu.Statistics.Assisted.Any()))
        {
            console.Write(Assisted(machine));
            console.WriteLine();
        }

        console.Write(Times(machine));
        console.WriteLine();
        console.Write(Start(milestones));
        console.WriteLine($"guest RAM: {ByteSize.Format(machine.Backing.Length)}, {machine.Backing.Description}");
    }

    private static Table Exits(VirtualMachine machine)
    {
        Table table = Counts(machine, "exits by reason", statistics => statistics.ByReason.Select(row => (row.Reason.ToString(), row.Count)));
        table.AddRow(["all", .. machine.Vcpus.Select(vcpu => Number(vcpu.Statistics.Total))]);
        return table;
    }

    private static Table Assisted(VirtualMachine machine) =>
        Counts(machine, "completed for KVM", statistics => statistics.Assisted);

    /// <summary>A row for each thing that a vCPU counted, the most frequent first.</summary>
    private static Table Counts(
        VirtualMachine machine, string title, Func<VcpuStatistics, IEnumerable<(string Name, long Count)>> read)
    {
        Table table = Tables.New([title, .. machine.Vcpus.Select(vcpu => $">vCPU {vcpu.Index}")]);
        var counts = machine.Vcpus
            .Select(vcpu => read(vcpu.Statistics).ToDictionary(row => row.Name, row => row.Count))
            .ToList();
        IEnumerable<string> names = counts.SelectMany(count => count.Keys)
            .Distinct()
            .OrderByDescending(name => counts.Sum(count => count.GetValueOrDefault(name)));
        foreach (string name in names)
            table.AddRow([name, .. counts.Select(count => Number(count.GetValueOrDefault(name)))]);
        return table;
    }

    private static Table Times(VirtualMachine machine)
    {
        Table table = Tables.New(["vCPU threads", .. machine.Vcpus.Select(vcpu => $">vCPU {vcpu.Index}")]);
        AddRow("time in KVM_RUN", statistics => Milliseconds(statistics.InGuest));
        AddRow("time outside", statistics => Milliseconds(statistics.Outside));
        AddRow("bytes allocated", statistics => Number(statistics.AllocatedBytes));
        return table;

        void AddRow(string name, Func<VcpuStatistics, string> value) =>
            table.AddRow([name, .. machine.Vcpus.Select(vcpu => value(vcpu.Statistics))]);
    }

    private static Table Start(Milestones milestones)
    {
        Table table = Tables.New("milestone", ">since start of Main");
        foreach ((string name, TimeSpan at) in milestones.Steps)
            table.AddRow(name, Milliseconds(at));
        return table;
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Milliseconds(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:F3} ms");
}
