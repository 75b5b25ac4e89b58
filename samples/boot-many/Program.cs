// A test harness: boot-many KERNEL... boots all of them at once, and says for each how it ended and what it printed last.
using System.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Terminal;

Stopwatch watch = Stopwatch.StartNew();
(string Kernel, StopReason End, string Text)[] results = await Task.WhenAll(args.Select(BootAsync));
foreach ((string kernel, StopReason end, string text) in results)
{
    string lastLine = text.TrimEnd().Split('\n')[^1].Trim();
    Console.WriteLine($"{Path.GetFileName(kernel),-16} {end.Kind,-10} {lastLine}");
}

Console.Error.WriteLine($"{results.Length} machines in {watch.Elapsed.TotalSeconds:F1} s");
return results.All(result => result.End.Kind == StopKind.PowerOff) ? 0 : 1;

static async Task<(string, StopReason, string)> BootAsync(string kernel)
{
    using MachinePlan plan = MachinePlan.Create(new MachineOptions
    {
        Kernel = kernel,
        Memory = new MemoryOptions(32 * MemoryLayout.MiB),
        Console = ConsoleKind.Stream,
    });
    await using VirtualMachine machine = VirtualMachine.Create(plan);
    using StreamReader console = new(machine.OpenConsole());
    Task<StopReason> run = machine.RunAsync(TimeSpan.FromMinutes(2));
    string text = await console.ReadToEndAsync();
    return (kernel, await run, text);
}
