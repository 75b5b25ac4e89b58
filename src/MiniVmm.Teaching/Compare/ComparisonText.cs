using System.Globalization;
using MiniVmm.Control;

namespace MiniVmm.Teaching.Compare;

/// <summary>A comparison for people.</summary>
/// <param name="output">Gets lines.</param>
/// <param name="print">Prints a table to the same place.</param>
/// <param name="rows">Most rows of a vCPU's exits beside each other.</param>
internal sealed class ComparisonText(TextWriter output, Action<AnswerTable> print, int rows)
{
    /// <summary>Equal rows that are shown around those that are not.</summary>
    private const int Around = 2;

    /// <summary>Fewer equal rows are not worth a fold.</summary>
    private const int LeastFolded = 2;

    public void Write(Comparison comparison)
    {
        print(Overview(comparison));
        WriteCalls(comparison);
        WriteExits(comparison);
        foreach (int vcpu in comparison.Vcpus)
            WriteSequence(comparison, vcpu);
        output.WriteLine();
        foreach (string remark in comparison.Remarks)
            TextColumns.Wrap(output, "note: ", 6, remark);
    }

    private static AnswerTable Overview(Comparison comparison)
    {
        AnswerTable table = new([new(comparison.Guest), new(comparison.MiniVmm.Monitor), new(comparison.Qemu.Monitor)]);
        Add("end", run => run.End + (run.Status is { } status ? $", status {status}" : ""));
        Add("seconds", run => run.Length.TotalSeconds.ToString("F3", CultureInfo.InvariantCulture));
        Add("exits before the kernel", run => Number(run.Trace.FirmwareExits));
        Add("exits of the kernel", run => Number(run.Trace.Exits.Count - run.Trace.FirmwareExits + run.Trace.Dropped));
        Add("ms in KVM_RUN", run => Milliseconds(run.Trace.Exits.Sum(exit => exit.Ran)));
        Add("ms between", run => Milliseconds(run.Trace.Exits.Sum(exit => exit.Took)));
        Add("lines from the guest", run => Number(run.Output.Trim().Length == 0 ? 0 : Comparison.Lines(run.Output).Length));
        table.Add(["", "", comparison.FirstDifferentLine is { } line ? $"line {line} is the first that differs" : "the same lines"]);
        return table;

        void Add(string name, Func<MonitorRun, string> text) => table.Add([name, text(comparison.MiniVmm), text(comparison.Qemu)]);
    }

    private void WriteCalls(Comparison comparison)
    {
        AnswerTable table = new(
            [new("calls to KVM, until a vCPU runs"), new("MiniVmm", true), new("later", true), new("QEMU", true), new("later", true)]);
        List<(string Name, string? Why)> reasons = [];
        CallCount[] sums = [default, default];
        foreach ((string name, CallCount own, CallCount other) in CallRows(comparison))
        {
            table.Add([name, Number(own.Before), Number(own.Later), Number(other.Before), Number(other.Later)]);
            sums[0] = new(sums[0].Before + own.Before, sums[0].Later + own.Later);
            sums[1] = new(sums[1].Before + other.Before, sums[1].Later + other.Later);
            if (own != other)
                reasons.Add((name, CallCause.Of(name, own, other)));
        }

        table.Add(["all", Number(sums[0].Before), Number(sums[0].Later), Number(sums[1].Before), Number(sums[1].Later)]);
        output.WriteLine();
        print(table);
        WriteReasons(reasons);
    }

    /// <summary>Every ioctl that one of them made, the most frequent first.</summary>
    internal static IEnumerable<(string Name, CallCount MiniVmm, CallCount Qemu)> CallRows(Comparison comparison)
    {
        IReadOnlyDictionary<string, CallCount> own = comparison.MiniVmm.Trace.Calls;
        IReadOnlyDictionary<string, CallCount> other = comparison.Qemu.Trace.Calls;
        return own.Keys.Union(other.Keys)
            .Select(name => (Name: name, MiniVmm: own.GetValueOrDefault(name), Qemu: other.GetValueOrDefault(name)))
            .OrderByDescending(row => row.MiniVmm.Before + row.MiniVmm.Later + row.Qemu.Before + row.Qemu.Later)
            .ThenBy(row => row.Name, StringComparer.Ordinal);
    }

    private void WriteExits(Comparison comparison)
    {
        AnswerTable table = new(
        [
            new("exits by kind and place"), new("MiniVmm", true), new("p50 us", true), new("sum ms", true), new("QEMU: firmware", true),
            new("sum ms", true), new("QEMU: kernel", true), new("p50 us", true), new("sum ms", true), new("MiniVmm's device"), new("QEMU's"),
        ]);
        List<(string Name, string? Why)> reasons = [];
        foreach (ExitGroup group in comparison.Groups)
        {
            table.Add(
            [
                group.Name, Number(group.MiniVmm.Count), Median(group.MiniVmm), Milliseconds(group.MiniVmm), Number(group.Firmware.Count),
                Milliseconds(group.Firmware), Number(group.Kernel.Count), Median(group.Kernel), Milliseconds(group.Kernel),
                string.Join(", ", group.MiniVmmDevices), string.Join(", ", group.QemuDevices),
            ]);
            if (group.MiniVmm.Count != group.Kernel.Count || group.Firmware.Count > 0)
                reasons.Add((group.Name, group.Why));
        }

        output.WriteLine();
        print(table);
        WriteReasons(reasons);
    }

    private void WriteReasons(List<(string Name, string? Why)> reasons)
    {
        output.WriteLine();
        foreach (IGrouping<string, string> names in reasons.Where(reason => reason.Why is not null).GroupBy(reason => reason.Why!, reason => reason.Name))
            TextColumns.Wrap(output, "", 2, $"{string.Join(", ", names)}: {names.Key}", continued: 4);
        string[] unknown = [.. reasons.Where(reason => reason.Why is null).Select(reason => reason.Name)];
        if (unknown.Length > 0)
            TextColumns.Wrap(output, "", 2, $"no reason is known here for: {string.Join(", ", unknown)}", continued: 4);
    }

    private void WriteSequence(Comparison comparison, int vcpu)
    {
        ExitAlignment alignment = comparison.Align(vcpu);
        AnswerTable table = new([new($"vCPU {vcpu}, in order: MiniVmm"), new(""), new("QEMU"), new("MiniVmm's device"), new("QEMU's")]);
        int shown = 0;
        for (int i = 0; i < alignment.Rows.Count; i++)
        {
            if (shown >= rows)
            {
                table.Add([$"… {alignment.Rows.Count - i} more; --rows shows more of them", "", "", "", ""]);
                break;
            }

            shown++;
            if (Folded(alignment.Rows, i) is var folded && folded >= LeastFolded)
            {
                table.Add([$"… {folded} equal", "=", "", "", ""]);
                i += folded - 1;
                continue;
            }

            AlignedRow row = alignment.Rows[i];
            if (i == alignment.GaveUpAt)
                table.Add(["… from here on too different to be put beside each other", "", "", "", ""]);
            table.Add([$"{row.MiniVmm}", $"{row.Mark}", $"{row.Qemu}", row.MiniVmm?.First.Device ?? "", row.Qemu?.First.Device ?? ""]);
        }

        output.WriteLine();
        print(table);
    }

    /// <summary>How many rows from one on are equal, as are those around them.</summary>
    private static int Folded(IReadOnlyList<AlignedRow> rows, int from)
    {
        int before = from;
        while (before > 0 && rows[before - 1].Mark == '=')
            before--;
        int end = from;
        while (end < rows.Count && rows[end].Mark == '=')
            end++;
        return from - before < Around ? 0 : end - from - Around;
    }

    private static string Number(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    private static string Median(ExitTimes times) =>
        times.Median is { } median ? (median / 1e3).ToString("F1", CultureInfo.InvariantCulture) : "";

    private static string Milliseconds(ExitTimes times) => times.Count == 0 ? "" : Milliseconds(times.Sum);

    private static string Milliseconds(long nanoseconds) => (nanoseconds / 1e6).ToString("F3", CultureInfo.InvariantCulture);
}
