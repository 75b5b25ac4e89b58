using System.Globalization;
using Spectre.Console;

namespace MiniVmm.Tools.Top;

/// <summary>The lines of a view, as they are now.</summary>
internal static class TopPage
{
    private const int TrendWidth = 12;

    /// <param name="machines">All, in the order in which they are shown.</param>
    /// <param name="view">What to show of them.</param>
    /// <param name="selected">The machine that is chosen, by its place.</param>
    /// <param name="columns">Letters of a line.</param>
    /// <param name="rows">Lines.</param>
    public static IReadOnlyList<string> Lines(IReadOnlyList<MachineHistory> machines, TopView view, int selected, int columns, int rows)
    {
        List<string> lines = [];
        if (machines.Count == 0)
        {
            lines.Add("no machine runs that has a name; start one by: minivmm run --name NAME KERNEL");
        }
        else if (view == TopView.Machines)
        {
            lines.Add($"{machines.Count(machine => !machine.HasEnded)} machines, {Number(machines.Sum(machine => machine.Rate))} exits a second");
            lines.Add("");
            Add(lines, Machines(machines, selected, columns), columns);
        }
        else
        {
            MachineHistory machine = machines[selected];
            lines.Add($"{machine.Name}, {State(machine)}: {Number(machine.Rate)} exits a second  {Sparkline.Of(machine.Rates, MachineHistory.Length)}");
            lines.Add("");
            Add(lines, view == TopView.Exits ? Exits(machine) : Memory(machine), columns);
            lines.Add("");
            Add(lines, view == TopView.Exits ? Shares(machine) : Devices(machine), columns);
            if (view == TopView.Exits)
            {
                lines.Add("");
                if (machine.Last is { } last && last.Counted.TrueForAll(counts => counts is null))
                    lines.Add("KVM's own counters: none, they need Linux 5.14");
                else
                    Add(lines, Counted(machine), columns);
            }
        }

        const string Keys = "Up, Down: machine   Enter or e: exits   d: memory and devices   Esc: all machines   q: quit";
        string[] page = new string[rows];
        for (int i = 0; i < rows; i++)
            page[i] = Clip(i == rows - 1 ? Keys : i < lines.Count ? lines[i] : "", columns);
        return page;
    }

    private static Table Machines(IReadOnlyList<MachineHistory> machines, int selected, int width)
    {
        List<string[]> rows = [["  machine", "state", ">vCPUs", ">exits/s", "trend", ">guest", ">kernel", ">MiniVmm", ">resident", ">balloon", ">up"]];
        for (int i = 0; i < machines.Count; i++)
        {
            MachineHistory machine = machines[i];
            if (machine.Last is not { } last)
                continue;
            (double guest, double kernel, double monitor) = (0, 0, 0);
            for (int vcpu = 0; vcpu < last.Exits.Count && !machine.HasEnded; vcpu++)
            {
                (double g, double k, double m) = machine.Shares(vcpu);
                (guest, kernel, monitor) = (guest + g, kernel + k, monitor + m);
            }

            rows.Add(
            [
                $"{(i == selected ? ">" : " ")} {machine.Name}", State(machine), Number(last.Exits.Count), Number(machine.Rate),
                Sparkline.Of(machine.Rates, TrendWidth), Percent(guest), Percent(kernel), Percent(monitor), ByteSize.Format((ulong)last.Resident),
                last.Balloon is { } balloon ? ByteSize.Format((ulong)balloon.Actual) : "none", Time(last.Uptime),
            ]);
        }

        bool[] shown = Fit(rows, width);
        Table table = Tables.New(Shown(rows[0]));
        foreach (string[] row in rows.Skip(1))
            table.AddRow(Array.ConvertAll(Shown(row), Markup.Escape));
        return table;

        string[] Shown(string[] row) => [.. row.Where((_, column) => shown[column])];
    }

    /// <summary>Which columns have room; those that say least go first.</summary>
    private static bool[] Fit(List<string[]> rows, int width)
    {
        const int Gap = 2;
        ReadOnlySpan<int> spare = [9, 10, 8, 7, 4, 2];
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length) + Gap)];
        bool[] shown = Array.ConvertAll(widths, _ => true);
        int all = widths.Sum();
        foreach (int column in spare)
        {
            if (all <= width)
                break;
            shown[column] = false;
            all -= widths[column];
        }

        return shown;
    }

    private static Table Exits(MachineHistory machine)
    {
        Table table = PerVcpu("exits a second", machine);
        foreach ((string reason, double[] rates) in machine.Reasons())
            table.AddRow([Markup.Escape(reason), .. rates.Select(Number)]);
        return table;
    }

    private static Table Counted(MachineHistory machine)
    {
        Table table = PerVcpu("KVM counts a second", machine);
        foreach ((string name, double[] rates) in machine.Counted())
            table.AddRow([Markup.Escape(name), .. rates.Select(Number)]);
        foreach ((string name, double[] rates) in machine.Measured())
            table.AddRow([Markup.Escape($"{name}, of its time"), .. rates.Select(rate => Percent(rate / 1e9))]);
        return table;
    }

    private static Table PerVcpu(string title, MachineHistory machine) =>
        Tables.New([title, .. Enumerable.Range(0, machine.Last?.Exits.Count ?? 0).Select(vcpu => $">vCPU {vcpu}")]);

    private static Table Shares(MachineHistory machine)
    {
        Table table = Tables.New("vCPU threads", ">guest", ">kernel", ">MiniVmm");
        for (int vcpu = 0; vcpu < (machine.Last?.Exits.Count ?? 0); vcpu++)
        {
            (double guest, double kernel, double monitor) = machine.Shares(vcpu);
            table.AddRow($"vCPU {vcpu}", Percent(guest), Percent(kernel), Percent(monitor));
        }

        return table;
    }

    private static Table Memory(MachineHistory machine)
    {
        Table table = Tables.New("memory", ">size");
        if (machine.Last is not { } last)
            return table;
        table.AddRow("guest RAM", ByteSize.Format((ulong)last.Ram));
        table.AddRow("resident", ByteSize.Format((ulong)last.Resident));
        table.AddRow("in swap", ByteSize.Format((ulong)last.Swapped));
        if (last.Balloon is { } balloon)
            table.AddRow("balloon", $"{ByteSize.Format((ulong)balloon.Actual)} of {ByteSize.Format((ulong)balloon.Target)}");
        return table;
    }

    private static Table Devices(MachineHistory machine)
    {
        Table table = Tables.New("device", "counter", ">all", ">a second");
        foreach (((string Device, string Counter) key, long count) in machine.Last?.Devices ?? [])
            table.AddRow(Markup.Escape(key.Device), Markup.Escape(key.Counter), Number(count), Number(machine.DeviceRate(key)));
        return table;
    }

    private static void Add(List<string> lines, Table table, int columns)
    {
        StringWriter text = new() { NewLine = "\n" };
        Tables.On(new TerminalOutput(text, isTerminal: false, columns)).Write(table);
        lines.AddRange(text.ToString().TrimEnd('\n').Split('\n'));
    }

    private static string State(MachineHistory machine) => machine.HasEnded ? "ended" : machine.Last?.State ?? "";

    private static string Clip(string line, int columns) => line.Length > columns ? line[..columns] : line;

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double share) => share.ToString("P0", CultureInfo.InvariantCulture).Replace(" ", "", StringComparison.Ordinal);

    private static string Time(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}")
        : string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:00}");
}
