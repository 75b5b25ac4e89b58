using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Time.Testing;
using MiniVmm.Serve;

namespace MiniVmm.Tests.Serve;

public sealed class WatchdogTests
{
    [Fact]
    public async Task Systemd_hears_twice_as_often_as_it_wants_to()
    {
        FakeTimeProvider time = new();
        Notifier notifier = new();
        using Watchdog watchdog = new(notifier, TimeSpan.FromSeconds(30), time);
        await watchdog.StartAsync(TestContext.Current.CancellationToken);

        for (int i = 0; i < 3; i++)
        {
            Assert.Equal("WATCHDOG=1", await notifier.States.Reader.ReadAsync(TestContext.Current.CancellationToken));
            time.Advance(TimeSpan.FromSeconds(15));
        }

        await watchdog.StopAsync(TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("30000000", null, 30)]
    [InlineData("30000000", "other", null)]
    [InlineData("30000000", "own", 30)]
    [InlineData("0", null, null)]
    [InlineData("1999", null, null)]
    [InlineData("soon", null, null)]
    [InlineData("18446744073709551615", null, null)]
    [InlineData(null, null, null)]
    public void The_interval_is_what_systemd_set_for_this_process(string? microseconds, string? process, int? seconds)
    {
        TimeSpan? interval = Watchdog.Interval(name => name switch
        {
            "WATCHDOG_USEC" => microseconds,
            "WATCHDOG_PID" when process == "own" => Environment.ProcessId.ToString(CultureInfo.InvariantCulture),
            "WATCHDOG_PID" => process,
            _ => null,
        });

        Assert.Equal(seconds, (int?)interval?.TotalSeconds);
    }

    private sealed class Notifier : ISystemdNotifier
    {
        public Channel<string> States { get; } = Channel.CreateUnbounded<string>();

        public bool IsEnabled => true;

        public void Notify(ServiceState state) => States.Writer.TryWrite(state.ToString());
    }
}
