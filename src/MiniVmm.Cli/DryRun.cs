using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Virtio;
using Spectre.Console;

namespace MiniVmm.Cli;

/// <summary><c>--dry-run</c>: the machine that would be built, and why it would be so.</summary>
internal static class DryRun
{
    public static void Print(MachinePlan plan)
    {
        IAnsiConsole console = Tables.StandardOutput();
        MachineOptions options = plan.Options;
        Table facts = Tables.New("machine", "");
        facts.AddRow("kernel", Markup.Escape($"{options.Kernel}: {plan.Boot.Format}"));
        foreach (string note in plan.Boot.Notes)
            facts.AddRow("", Markup.Escape(note));
        facts.AddRow("entry", $"{plan.Boot.Entry.Mode}, rip 0x{plan.Boot.Entry.Rip:x}");
        facts.AddRow("vCPUs", options.Topology.ToString());
        IEnumerable<uint> apicIds = Enumerable.Range(0, options.Topology.MaxCpus).Select(options.Topology.ApicId);
        facts.AddRow("APIC ids", string.Join(' ', apicIds));
        facts.AddRow("CPU model", Markup.Escape(options.Cpu.Text));
        string backing = options.Memory.Path is { } path ? Markup.Escape($" in {path}") : "";
        facts.AddRow("RAM", ByteSize.Format(plan.Memory.Size) + backing);
        console.Write(facts);

        Table map = Tables.New("guest-physical", "size", "what");
        IEnumerable<(GuestRange Range, string What)> rows = plan.Memory.E820
            .Select(entry => (entry.Range, $"e820: {entry.Type}"))
            .Concat(plan.Boot.Segments
                .Select(segment => (new GuestRange(segment.Address, segment.MemorySize), $"  {segment.Name}")))
            .Concat(plan.Virtio.Select(slot =>
                (new GuestRange(slot.Address, VirtioMmio.Length), $"virtio-mmio: {slot.Name}, GSI {slot.Gsi}")));
        foreach ((GuestRange range, string what) in rows
            .OrderBy(row => row.Range.Start).ThenByDescending(row => row.Range.Length))
            map.AddRow(range.ToString(), ByteSize.Format(range.Length), Markup.Escape(what));
        console.WriteLine();
        console.Write(map);
    }
}
