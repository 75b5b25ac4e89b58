using System.Diagnostics;
using MiniVmm.Display;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Inspection;
using MiniVmm.Terminal;

namespace MiniVmm.Machine;

/// <summary>
/// A second run of a machine that died of a triple fault, where KVM resets the vCPU at it: free until shortly before the death,
/// and then instruction by instruction. It touches nothing outside: disks are snapshots, consoles go nowhere.
/// </summary>
internal static class DeathReplay
{
    // An exit or two before the last one: timing is never quite the same.
    private const int Margin = 2;
    private const long MostSteps = 5_000_000;
    private const int Attempts = 3;
    private static readonly TimeSpan LongestRun = TimeSpan.FromSeconds(30);

    /// <summary>Runs it again.</summary>
    /// <param name="options">The machine.</param>
    /// <param name="dead">Which vCPU died.</param>
    /// <param name="exits">Its exits until then.</param>
    /// <param name="explain">Writes what is known of the last instruction, while the second machine is still there.</param>
    /// <returns>The explanation, or one line that says why there is none.</returns>
    public static string Explain(MachineOptions options, int dead, long exits, Func<VirtualMachine, FaultRecorder, string> explain)
    {
        if (Obstacle(options, dead) is { } obstacle)
            return $"not run again to see it: {obstacle}\n";
        long start = Stopwatch.GetTimestamp();
        long free = Math.Max(exits - 1 - Margin, 0);
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            TimeSpan left = LongestRun - Stopwatch.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
                break;
            try
            {
                using MachinePlan plan = MachinePlan.Create(Quiet(options));
                using VirtualMachine machine = VirtualMachine.Create(plan);
                FaultRecorder recorder = new(
                    free, MostSteps, (in regs, in sregs) => CodeFetch.Check(new GuestView(regs, sregs, machine.Memory)) is null);
                machine.Vcpus[dead].Recorder = recorder;
                machine.Start();
                _ = machine.WaitForEnd(left);
                VcpuThread vcpu = machine.Vcpus[dead];
                if (machine.DiedOfTripleFault && vcpu.HasShutDown && recorder.Regs.rflags != 0)
                    return explain(machine, recorder);
                if (!machine.DiedOfTripleFault)
                {
                    return recorder.IsExhausted
                        ? $"a second run did not come to it within {recorder.Steps} instructions after exit {free}\n"
                        : $"a second run did not die of it: {machine.EndKind}\n";
                }

                // It died earlier than the first time: begin earlier.
                free = Math.Max(vcpu.Statistics.OfGuest - 1 - Margin * (attempt + 2), 0);
            }
            catch (Exception refusal) when (refusal is VmmException or SystemCallException)
            {
                return $"no second run to see it: {refusal.Message}\n";
            }
        }

        return "second runs died elsewhere\n";
    }

    /// <summary>Why it cannot be run again; null where it can.</summary>
    internal static string? Obstacle(MachineOptions options, int dead)
    {
        if (dead >= options.Topology.Count)
            return $"vCPU {dead} was not there at the start";
        if (options.Shares.Any(share => !share.ReadOnly))
            return "it may change a folder of the host";
        if (options.Nets.Count > 0)
            return "it has a network, whose other side does not say the same again";
        if (options.Passthrough.Count > 0)
            return "it has a device of the host";
        if (options.Devices.Count > 0)
            return "it has devices of the program that runs it";
        return options.FirmwareVariables is not null ? "its firmware writes a file" : null;
    }

    private static MachineOptions Quiet(MachineOptions options) => options with
    {
        Console = ConsoleKind.None,
        ConsolePath = null,
        ConsoleSocket = null,
        Com2 = options.Com2 is null ? null : new(ConsoleKind.None),
        DebugConsole = DebugConsoleKind.None,
        DebugConsolePath = null,
        Display = DisplayKind.None,
        Vnc = null,
        ScreenshotAtEnd = null,
        HangAfter = null,
        CoreFile = null,
        Symbols = null, // the first run's are used
        Timed = false,
        Name = null,
        Gdb = null,
        GdbWaits = false,
        HostListens = false,
        Disks = [.. options.Disks.Select(disk => disk with { Snapshot = !disk.ReadOnly, Overlay = null })],
        Memory = options.Memory with { Path = null, Prealloc = false },
    };
}
