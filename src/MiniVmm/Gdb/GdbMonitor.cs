using System.Globalization;
using System.Text;
using MiniVmm.Devices;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Gdb;

/// <summary>What gdb's <c>monitor</c> can do here; the guest stands still.</summary>
/// <param name="machine">The machine.</param>
/// <param name="debugger">Its debugger.</param>
internal sealed class GdbMonitor(IDebuggedMachine machine, MachineDebugger debugger)
{
    private const string Help =
        """
        help             this list
        registers [CPU]  mode, registers and tables of the current thread's vCPU
        pagewalk ADDR [CPU]
                         the way of a linear address through its page tables
        breakpoints      where the breakpoints were when the guest last ran
        devices          ports and memory that devices claim
        exits            how often each vCPU came out of the guest, why, and the last times
        reset            resets the machine, once it is to go on

        """;

    /// <returns>Text that ends in a line feed.</returns>
    public string Do(string command, int vcpu)
    {
        string[] words = command.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return words switch
        {
            [] or ["help" or "?", ..] => Help,
            ["registers"] => Registers(vcpu),
            ["registers", string cpu] when Find(cpu) is { } named => Registers(named),
            ["pagewalk", string address] => PageWalk(vcpu, address),
            ["pagewalk", string address, string cpu] when Find(cpu) is { } named => PageWalk(named, address),
            ["registers" or "pagewalk", .., string cpu] => $"there is no vCPU '{cpu}'\n",
            ["pagewalk"] => "pagewalk takes an address, as in: monitor pagewalk 0xffffffff81000000\n",
            ["breakpoints"] => Breakpoints(),
            ["devices"] => Devices(),
            ["exits"] => Exits(),
            ["reset" or "system_reset"] => Reset(),
            _ => $"there is no command '{words[0]}'; monitor help lists them\n",
        };
    }

    private string Reset()
    {
        debugger.ResetsNext = true;
        return "reset when it goes on: minivmm run ends with it, minivmm qemu starts the guest again, and gdb connects again\n";
    }

    private int? Find(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int vcpu) && debugger.Vcpus.Contains(vcpu) ? vcpu : null;

    private string Registers(int vcpu)
    {
        StringBuilder text = new($"vCPU {vcpu}: {VcpuWords.State(machine.Vcpus[vcpu])}\n");
        PostMortemText writer = new(text, View(vcpu), kernel: null);
        writer.Mode();
        writer.Registers();
        return text.ToString();
    }

    private string PageWalk(int vcpu, string address)
    {
        string digits = address.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? address[2..] : address;
        if (!ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong linear))
            return $"'{address}' is no hexadecimal address\n";
        GuestView view = View(vcpu);
        if (view.Paging.Mode == PagingMode.None)
            return $"paging is off: 0x{linear:x} is a physical address\n";
        StringBuilder text = new();
        new PostMortemText(text, view, kernel: null).Walk($"vCPU {vcpu}", linear);
        return text.ToString();
    }

    private GuestView View(int vcpu)
    {
        VcpuImage image = debugger.Capture(vcpu);
        return new GuestView(image.General, image.Special, machine.Memory);
    }

    private string Breakpoints()
    {
        StringBuilder text = new();
        BreakpointPlan plan = debugger.Plan;
        for (int i = 0; i < plan.Registers.Count; i++)
            Line(text, $"0x{plan.Registers[i].Address:x}  in DR{i}, {Word(plan.Registers[i])}");
        foreach (ulong address in plan.Written)
            Line(text, $"0x{address:x}  an INT3 in memory");
        foreach (ulong address in plan.Pending)
            Line(text, $"0x{address:x}  waits until it is mapped");
        return text.Length > 0 ? $"when the guest last ran:\n{text}" : "none when the guest last ran\n";
    }

    private static string Word(DebugRegister register) => register.Breakpoint.Kind switch
    {
        BreakpointKind.WriteWatch => $"writes to {register.Length} bytes",
        BreakpointKind.AccessWatch => $"accesses to {register.Length} bytes",
        _ => "execution",
    };

    private string Devices()
    {
        StringBuilder text = new();
        foreach ((string name, Bus bus) in machine.Buses)
        {
            foreach ((Memory.GuestRange range, string device) in bus.Windows)
                Line(text, $"{name,-6} 0x{range.Start:x}-0x{range.Start + (range.Length - 1):x}  {device}");
        }

        return text.ToString();
    }

    private string Exits()
    {
        StringBuilder text = new();
        foreach (VcpuThread vcpu in machine.Vcpus)
        {
            Line(text, $"vCPU {vcpu.Index}: {vcpu.Statistics.Total} exits");
            foreach ((KvmExitReason reason, long count) in vcpu.Statistics.ByReason)
                Line(text, $"  {count,10}  {reason}");
            ExitText.Append(text, vcpu.Statistics.Last);
        }

        return text.ToString();
    }

    private static void Line(StringBuilder text, FormattableString line) =>
        text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
