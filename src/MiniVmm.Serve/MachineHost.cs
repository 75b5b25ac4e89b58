using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;
using MiniVmm.Hosting;
using MiniVmm.Tracing;
using MiniVmm.Tracing.Files;
using OpenTelemetry.Metrics;

namespace MiniVmm.Serve;

/// <summary>The host of <c>minivmm serve</c>: the machines of its files, a log on standard output, systemd, metrics.</summary>
internal static class MachineHost
{
    /// <param name="arguments">What to serve.</param>
    /// <param name="replace">Replaces services; for tests.</param>
    /// <exception cref="BadInputException">A file cannot be read, or there is no machine in any.</exception>
    public static IHost Build(ServeArguments arguments, Action<IServiceCollection>? replace = null)
    {
        HostApplicationBuilder builder = new(new HostApplicationBuilderSettings { DisableDefaults = true });
        foreach (string file in arguments.Files)
            ConfigurationFile.AddTo(builder.Configuration, file);
        if (!builder.Configuration.GetSection("VirtualMachines").GetChildren().Any())
            throw new BadInputException($"{arguments.Files[^1]}: no machine under VirtualMachines");

        // Before the machines: where its port is taken, none starts.
        if (arguments.MetricsPort is { } port)
            AddMetrics(builder.Services, port);
        builder.Services.AddSingleton<ITraceFiles, TraceFiles>();
        builder.Services.AddVirtualMachines(builder.Configuration);
        builder.Services.Configure<ConsoleLifetimeOptions>(console => console.SuppressStatusMessages = true);
        AddLog(builder);
        AddSystemd(builder.Services);
        replace?.Invoke(builder.Services);
        return builder.Build();
    }

    private static void AddLog(HostApplicationBuilder builder)
    {
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None); // the program says it, in a line
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss ";
        });
    }

    private static void AddSystemd(IServiceCollection services)
    {
        services.AddSystemd(); // does nothing elsewhere
        if (SystemdHelpers.IsSystemdService() && Watchdog.Interval(Environment.GetEnvironmentVariable) is { } interval)
        {
            services.AddHostedService(provider => new Watchdog(
                provider.GetRequiredService<ISystemdNotifier>(), interval, provider.GetRequiredService<TimeProvider>()));
        }
    }

    private static void AddMetrics(IServiceCollection services, int port) => services.AddOpenTelemetry().WithMetrics(metrics =>
        metrics.AddMeter(MachineMeter.Name).AddPrometheusHttpListener(listener =>
        {
            listener.Host = "localhost";
            listener.Port = port;
        }));

    private sealed class TraceFiles : ITraceFiles
    {
        public ITraceSink Create(string path) => TraceFile.Create(path);
    }
}
