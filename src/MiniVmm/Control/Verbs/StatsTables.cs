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
            tables.Add(Exits(vcpus));
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

    private static AnswerTable Exits(AnswerObject[] vcpus)
    {
        Dictionary<string, long>[] counts = [.. vcpus.Select(vcpu => vcpu.Numbers("byReason"))];
        AnswerTable table = new(
        [
            new("exits by reason"),
            .. vcpus.Select((vcpu, index) =>
                new AnswerColumn($"vCPU {index}{(vcpu.Flag("present") == false ? ", out" : "")}", IsNumber: true)),
        ]);
        IEnumerable<string> reasons = counts.SelectMany(count => count.Keys)
            .Distinct()
            .OrderByDescending(reason => counts.Sum(count => (double)count.GetValueOrDefault(reason)));
        foreach (string reason in reasons)
            table.Add([reason, .. counts.Select(count => Count(count.GetValueOrDefault(reason)))]);
        table.Add(["all", .. vcpus.Select(vcpu => Count(vcpu.Number("exits") ?? 0))]);
        return table;
    }
}
