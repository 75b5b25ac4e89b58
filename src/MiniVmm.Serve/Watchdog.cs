using System.Globalization;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;

namespace MiniVmm.Serve;

/// <summary>
/// Tells systemd that the process is alive, twice as often as it wants to hear it (sd_watchdog_enabled(3)). A guest that
/// hangs does not end the others: that is for its health check.
/// </summary>
internal sealed class Watchdog(ISystemdNotifier notifier, TimeSpan interval, TimeProvider time) : BackgroundService
{
    /// <summary>Half of it is the shortest period of a timer.</summary>
    private const ulong LeastMicroseconds = 2000;

    private static readonly ServiceState Alive = new("WATCHDOG=1");

    /// <summary>How often systemd wants to hear of this process; null where it does not.</summary>
    public static TimeSpan? Interval(Func<string, string?> environment)
    {
        string? process = environment("WATCHDOG_PID");
        bool ours = process is null || process == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        return ours && ulong.TryParse(environment("WATCHDOG_USEC"), CultureInfo.InvariantCulture, out ulong microseconds)
            && microseconds is >= LeastMicroseconds and < int.MaxValue * 1000UL
            ? TimeSpan.FromMicroseconds(microseconds)
            : null;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(interval / 2, time);
        do
            notifier.Notify(Alive);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }
}
