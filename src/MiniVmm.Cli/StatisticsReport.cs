using System.Globalization;
using MiniVmm.Cli.Output;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Machine;

namespace MiniVmm.Cli;

/// <summary><c>--stats</c>: what the vCPUs did, and how long the start took.</summary>
internal static class StatisticsReport
{
    public static void Print(VirtualMachine machine, Milestones milestones)
    {
        TextWriter writer = Standard.Error;
        writer.WriteLine();
        Counts exits = new(machine.Vcpus.Count);
        Counts assisted = new(machine.Vcpus.Count);
        for (int vcpu = 0; vcpu < machine.Vcpus.Count; vcpu++)
        {
            VcpuStatistics statistics = machine.Vcpus[vcpu].Statistics;
            foreach ((Kvm.KvmExitReason reason, long count) in statistics.ByReason)
                exits.Add(reason.ToString(), vcpu, count);
            foreach ((string instruction, long count) in statistics.Assisted)
                assisted.Add(instruction, vcpu, count);
        }

        TextTable table = exits.Table("exits by reason", machine);
        table.AddRow(Row("all", machine, statistics => Number(statistics.Total)));
        table.Write(writer);
        writer.WriteLine();
        if (!assisted.IsEmpty)
        {
            assisted.Table("completed for KVM", machine).Write(writer);
            writer.WriteLine();
        }

        TextTable times = new(Header("vCPU threads", machine));
        times.AddRow(Row("time in KVM_RUN", machine, statistics => Milliseconds(statistics.InGuest)));
        times.AddRow(Row("time outside", machine, statistics => Milliseconds(statistics.Outside)));
        times.AddRow(Row("bytes allocated", machine, statistics => Number(statistics.AllocatedBytes)));
        times.Write(writer);
        writer.WriteLine();

        TextTable start = new("milestone", ">since start of Main");
        foreach ((string name, TimeSpan at) in milestones.Steps)
            start.AddRow(name, Milliseconds(at));
        start.Write(writer);
        writer.WriteLine($"guest RAM: {ByteSize.Format(machine.Backing.Length)}, {machine.Backing.Description}");
    }

    private static string[] Header(string title, VirtualMachine machine)
    {
        string[] header = new string[machine.Vcpus.Count + 1];
        header[0] = title;
        for (int vcpu = 0; vcpu < machine.Vcpus.Count; vcpu++)
            header[vcpu + 1] = $">vCPU {machine.Vcpus[vcpu].Index}";
        return header;
    }

    private static string[] Row(string name, VirtualMachine machine, Func<VcpuStatistics, string> value)
    {
        string[] row = new string[machine.Vcpus.Count + 1];
        row[0] = name;
        for (int vcpu = 0; vcpu < machine.Vcpus.Count; vcpu++)
            row[vcpu + 1] = value(machine.Vcpus[vcpu].Statistics);
        return row;
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Milliseconds(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:F3} ms");

    /// <summary>How often something happened on each vCPU, by its name.</summary>
    private sealed class Counts(int vcpus)
    {
        private readonly Dictionary<string, long[]> _counts = [];

        public bool IsEmpty => _counts.Count == 0;

        public void Add(string name, int vcpu, long count)
        {
            if (!_counts.TryGetValue(name, out long[]? counts))
                _counts.Add(name, counts = new long[vcpus]);
            counts[vcpu] += count;
        }

        /// <summary>The most frequent first.</summary>
        public TextTable Table(string title, VirtualMachine machine)
        {
            string[] names = [.. _counts.Keys];
            long[] sums = Array.ConvertAll(names, name => -_counts[name].Sum());
            Array.Sort(sums, names);
            TextTable table = new(Header(title, machine));
            foreach (string name in names)
                table.AddRow([name, .. Array.ConvertAll(_counts[name], Number)]);
            return table;
        }
    }
}
