using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Terminal;

namespace MiniVmm.Testing;

/// <summary>Machines as they are.</summary>
/// <param name="spell">How options are named in reports.</param>
internal sealed class KvmTestMachines(Func<NamedOption, string> spell) : ITestMachines
{
    private const int ReadBytes = 16 * 1024;

    /// <summary>Finds out whether there can be machines at all.</summary>
    /// <exception cref="HostLimitException">There is no usable /dev/kvm.</exception>
    public static void Check() => KvmSystem.Open().Dispose();

    public async Task<MachineEnd> RunAsync(
        MachineOptions options, TimeSpan timeout, ConsoleReader read, CancellationToken cancellation)
    {
        List<OptionMessage> remarks = [];
        VirtualMachine machine = Create(options, remarks);
        Task<bool> reading = FollowAsync(machine, read);
        try
        {
            StopReason reason = await machine.RunAsync(timeout, cancellation).ConfigureAwait(false);
            bool ended = await reading.ConfigureAwait(false);
            OptionMessage? report = machine.ExplainEnd();
            if (report is not null)
                remarks.Add(report);
            string crash = reason.Kind == StopKind.Crash || reason.IsHostLimit
                ? report?.Spelled(spell).Split('\n')[0] ?? ""
                : "";
            return new(
                new(reason, ended && reason.Kind == StopKind.Interrupted, crash),
                machine.ReadUnseenScreen(),
                remarks);
        }
        finally
        {
            await machine.DisposeAsync().ConfigureAwait(false);
            await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static VirtualMachine Create(MachineOptions options, List<OptionMessage> remarks)
    {
        using MachinePlan plan = MachinePlan.Create(options with { Console = ConsoleKind.Stream });
        if (plan.Remark is { } remark)
            remarks.Add(remark);
        return VirtualMachine.Create(plan, remarks.Add);
    }

    /// <summary>Reads to the machine's end, on a thread of its own.</summary>
    /// <returns>Whether the reader has had it ended.</returns>
    private static Task<bool> FollowAsync(VirtualMachine machine, ConsoleReader read) => Task.Factory.StartNew(
        () => Follow(machine, read), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static bool Follow(VirtualMachine machine, ConsoleReader read)
    {
        bool done = false;
        byte[] buffer = new byte[ReadBytes];
        using FileStream console = new(machine.TakeConsole(), FileAccess.Read, bufferSize: 0);
        while (console.Read(buffer) is > 0 and int got)
        {
            if (!read(buffer.AsSpan(0, got)) || done)
                continue;
            done = true;
            machine.Stop(new(StopKind.Interrupted));
        }

        return done;
    }
}
