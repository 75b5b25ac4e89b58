using MiniVmm.Execution;
using MiniVmm.Machine;
using MiniVmm.Testing;

namespace MiniVmm.Tests.Testing;

/// <summary>Machines that print what their kernel's name says, and end when they are told to.</summary>
/// <param name="run">What a machine of that kernel does.</param>
internal sealed class FakeTestMachines(Func<string, ConsoleReader, CancellationToken, Task<StopReason>> run) : ITestMachines
{
    private int _running;

    /// <summary>Most that ran at a time.</summary>
    public int Most { get; private set; }

    public List<string> Ran { get; } = [];

    /// <summary>Machines that print their kernel's name and power off.</summary>
    public static FakeTestMachines Polite => new((kernel, read, _) =>
    {
        read(System.Text.Encoding.UTF8.GetBytes($"{kernel}: ok\n"));
        return Task.FromResult(new StopReason(StopKind.PowerOff));
    });

    public async Task<MachineEnd> RunAsync(MachineOptions options, TimeSpan timeout, ConsoleReader read, CancellationToken cancellation)
    {
        lock (Ran)
        {
            Ran.Add(options.Kernel);
            Most = Math.Max(Most, ++_running);
        }

        bool reached = false;
        try
        {
            StopReason reason = await run(options.Kernel, text => reached |= read(text), cancellation);
            return new(new(reason, reached && reason.Kind == StopKind.Interrupted), [], ["a remark", "vCPU 0: at rest\n"]);
        }
        finally
        {
            lock (Ran)
                _running--;
        }
    }
}
