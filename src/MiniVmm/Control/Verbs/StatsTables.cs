using MiniVmm.Virtio.Balloon;
using static MiniVmm.Control.AnswerObject;

namespace MiniVmm.Control.Verbs;

/// <summary>The statistics of <see cref="StatsVerb"/> for people; leaves out what the machine does.</summary>
internal static class StatsTables
{
    private const int PageSize = 4096;

    public static IReadOnlyList<AnswerTable> Of(AnswerObject statistics)
    {
        List<AnswerTable> tables = [];
        if (statistics.Object("memory") is { } memory)
            tables.Add(Memory(memory));
        if (statistics.Objects("devices") is { Length: > 0 } devices)
            tables.Add(Devices(devices));
        if (statistics.Objects("vcpus") is { Length: > 0 } vcpus)
        {
            AnswerTable exits = Counts(vcpus, "exits by reason", "byReason");
            exits.Add(["all", .. vcpus.Select(vcpu => Count(vcpu.Number("exits") ?? 0))]);
            tables.Add(exits);
            if (vcpus.Any(vcpu => vcpu.Numbers("assisted").Count > 0))
                tables.Add(Counts(vcpus, "completed for KVM", "assisted"));
            tables.Add(Counts(vcpus, "counted by KVM", "kvm"));
            if (vcpus.All(vcpu => vcpu.Object("kvm") is null))
                tables[^1].Add(["nothing: that needs Linux 5.14", .. vcpus.Select(_ => "")]);
            if (vcpus.Any(vcpu => vcpu.Numbers("kvmNanoseconds").Count > 0))
                tables.Add(Counts(vcpus, "measured by KVM, ns", "kvmNanoseconds"));
        }

        if (statistics.Numbers("kvm") is { Count: > 0 } machine)
        {
            AnswerTable counts = new([new("counted by KVM"), new("machine", IsNumber: true)]);
            foreach ((string name, long count) in machine.OrderByDescending(counter => counter.Value))
                counts.Add(name, Count(count));
            tables.Add(counts);
        }

        return tables;
    }

    private static AnswerTable Memory(AnswerObject memory)
    {
        AnswerTable table = new([new("memory"), new("")]);
        if (memory.Size("ramBytes") is { } ram)
        {
            string backing = memory.Text("backing");
            table.Add("guest RAM", ByteSize.Format(ram) + (backing.Length > 0 ? $", {backing}" : ""));
        }

        if (memory.Object("hotplug") is { } plug && plug.Size("targetBytes") is { } wanted && plug.Size("actualBytes") is { } has
            && plug.Size("maxBytes") is { } most)
            table.Add("  with what was plugged", $"{new GuestSize(wanted, has)}, at most {ByteSize.Format(most)}");
        AddSize("resident", memory.Number("residentBytes"));
        AddSize("swapped out", memory.Number("swappedBytes"));
        if (memory.Number("hugetlbBytes") is > 0 and { } huge)
            AddSize("on hugetlbfs", huge);
        if (memory.Object("balloon") is { } balloon)
        {
            if (balloon.Size("targetBytes") is { } target && balloon.Size("actualBytes") is { } actual)
                table.Add("balloon", new GuestSize(target, actual).ToString());
            foreach ((string name, long value) in balloon.Numbers("guest"))
                table.Add($"  guest's {name}", BalloonStatistics.IsSize(name) ? Mebibytes(value) : Count(value));
        }

        if (memory.Object("ksm") is { } ksm)
            AddKsm(table, ksm);
        return table;

        void AddSize(string name, long? bytes)
        {
            if (bytes is { } known)
                table.Add(name, Mebibytes(known));
        }
    }

    private static void AddKsm(AnswerTable table, AnswerObject ksm)
    {
        if (ksm.Number("mergingPages") is { } merging)
            table.Add("merged by KSM", $"{Count(merging)} pages, {Mebibytes(merging * PageSize)}");
        if (ksm.Numbers("process").TryGetValue("ksm_process_profit", out long profit) && profit != 0)
            table.Add("  saved by that", Mebibytes(profit));
        Dictionary<string, long> host = ksm.Numbers("host");
        if (host.TryGetValue("run", out long run))
        {
            table.Add("KSM of the host", run == 1
                ? $"on: {Count(host.GetValueOrDefault("pages_sharing"))} pages share "
                    + $"{Count(host.GetValueOrDefault("pages_shared"))}, after "
                    + $"{Count(host.GetValueOrDefault("full_scans"))} full scans"
                : "off (echo 1 > /sys/kernel/mm/ksm/run)");
        }
    }

    private static AnswerTable Devices(AnswerObject[] devices)
    {
        AnswerTable table = new([new("device"), new("kind"), new("counters")]);
        foreach (AnswerObject device in devices)
        {
            IEnumerable<string> counters =
                device.Numbers("counters").Select(counter => $"{counter.Key} {Count(counter.Value)}");
            table.Add(device.Text("name"), device.Text("kind"), string.Join(", ", counters));
        }

        return table;
    }

    /// <summary>A row for each thing that a vCPU counted, the most frequent first.</summary>
    private static AnswerTable Counts(AnswerObject[] vcpus, string title, string member)
    {
        Dictionary<string, long>[] counts = [.. vcpus.Select(vcpu => vcpu.Numbers(member))];
        AnswerTable table = new(
        [
            new(title),
            .. vcpus.Select((vcpu, index) =>
                new AnswerColumn($"vCPU {index}{(vcpu.Flag("present") == false ? ", out" : "")}", IsNumber: true)),
        ]);
        IEnumerable<string> names = counts.SelectMany(count => count.Keys)
            .Distinct()
            .OrderByDescending(name => counts.Sum(count => (double)count.GetValueOrDefault(name)));
        foreach (string name in names)
            table.Add([name, .. counts.Select(count => Count(count.GetValueOrDefault(name)))]);
        return table;
    }
}
