// A .NET host with a machine as a service for each kernel of the command line; it ends when all of them have.
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MiniVmm;
using MiniVmm.Control;
using MiniVmm.Hosting;

HostApplicationBuilder builder = Host.CreateApplicationBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning);
foreach (string kernel in args)
{
    builder.Services.AddVirtualMachine(Path.GetFileNameWithoutExtension(kernel), machine =>
    {
        machine.Set(OptionName.Kernel, kernel);
        machine.Set(OptionName.Mem, "32M");
    });
}

builder.Services.AddHostedService<Watcher>();
await builder.Build().RunAsync();

/// <summary>Waits for the ends of all machines, and ends the host.</summary>
internal sealed class Watcher(IEnumerable<IHostedVirtualMachine> machines, IHostApplicationLifetime life) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (IHostedVirtualMachine machine in machines)
        {
            await EndOf(machine).WaitAsync(stoppingToken);
            Console.WriteLine($"{machine.Name}: {machine.State}, {machine.LastEnd?.Kind}");
        }

        life.StopApplication();
    }

    private static Task EndOf(IHostedVirtualMachine machine)
    {
        TaskCompletionSource ended = new();
        machine.StateChanged += (_, _) => Look();
        Look();
        return ended.Task;

        void Look()
        {
            if (machine.State is MachineState.Stopped or MachineState.Failed)
                ended.TrySetResult();
        }
    }
}
