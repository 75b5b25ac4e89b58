using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace MiniVmm.Hosting;

/// <summary>
/// Gives the host's own shutdown the time that the most patient machine has, and some for its end: the host would cut the
/// patience short otherwise.
/// </summary>
internal sealed class HostPatience(IEnumerable<HostedMachineName> machines, IOptionsMonitor<VirtualMachineOptions> options)
    : IPostConfigureOptions<HostOptions>
{
    private static readonly TimeSpan ForTheEnd = TimeSpan.FromSeconds(10);

    public void PostConfigure(string? name, HostOptions host)
    {
        foreach (HostedMachineName machine in machines)
        {
            try
            {
                TimeSpan needed = options.Get(machine.Name).Patience + ForTheEnd;
                if (host.ShutdownTimeout < needed && host.ShutdownTimeout != Timeout.InfiniteTimeSpan)
                    host.ShutdownTimeout = needed;
            }
            catch (OptionsValidationException)
            {
                // The host will say so when it starts.
            }
        }
    }
}

/// <summary>A machine that was added to the host's services.</summary>
internal sealed record HostedMachineName(string Name);
