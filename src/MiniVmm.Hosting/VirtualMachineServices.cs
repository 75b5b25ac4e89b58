using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MiniVmm.Hosting;

/// <summary>Adds virtual machines to a host.</summary>
public static class VirtualMachineServices
{
    /// <summary>
    /// Adds a machine that starts and stops with the host. Its options are those of <c>VirtualMachines:NAME</c> in the
    /// application's configuration, changed by <paramref name="configure"/>; they are validated before the host starts.
    /// </summary>
    /// <param name="services">The application's.</param>
    /// <param name="name">
    /// The machine's key, for <see cref="IHostedVirtualMachine"/>, its name for <c>minivmm ps</c> and <c>ctl</c>, and the
    /// tag <c>machine.name</c> of its metrics. To be added once more is to be configured further.
    /// </param>
    /// <param name="configure">Changes the options; may throw <see cref="BadInputException"/>.</param>
    public static IServiceCollection AddVirtualMachine(
        this IServiceCollection services, string name, Action<VirtualMachineOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (!services.Any(service => service.ImplementationInstance is HostedMachineName added && added.Name == name))
            AddServices(services, name);
        if (configure is not null)
        {
            services.AddSingleton<IConfigureOptions<VirtualMachineOptions>>(
                new ConfigureNamedOptions<VirtualMachineOptions>(name, options => Apply(name, configure, options)));
        }

        return services;
    }

    /// <summary>Adds all machines that a configuration has under <c>VirtualMachines</c>.</summary>
    /// <param name="services">The application's.</param>
    /// <param name="configuration">The application's whole configuration.</param>
    public static IServiceCollection AddVirtualMachines(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        foreach (IConfigurationSection machine in configuration.GetSection(MachineConfiguration.Root).GetChildren())
            services.AddVirtualMachine(machine.Key);
        return services;
    }

    /// <summary>Adds a health check of a machine, by the machine's name.</summary>
    /// <param name="checks">The application's.</param>
    /// <param name="name">A machine of the host.</param>
    /// <param name="failureStatus">What a failed or hung machine is; null for unhealthy.</param>
    /// <param name="tags">To choose checks by.</param>
    public static IHealthChecksBuilder AddVirtualMachine(
        this IHealthChecksBuilder checks, string name, HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(checks);
        return checks.Add(new HealthCheckRegistration(
            name, services => services.GetRequiredKeyedService<MachineHealthCheck>(name), failureStatus, tags));
    }

    private static void AddServices(IServiceCollection services, string name)
    {
        services.AddLogging();
        services.AddMetrics();
        services.AddOptions<VirtualMachineOptions>(name).ValidateOnStart();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IMachineFactory, KvmMachines>();
        services.TryAddSingleton<MachineMetrics>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<HostOptions>, HostPatience>());

        services.AddSingleton(new HostedMachineName(name));
        services.AddSingleton<IConfigureOptions<VirtualMachineOptions>>(provider => new MachineConfiguration(
            name, provider.GetService<IConfiguration>()?.GetSection($"{MachineConfiguration.Root}:{name}")));
        services.AddSingleton<IPostConfigureOptions<VirtualMachineOptions>>(
            new PostConfigureOptions<VirtualMachineOptions>(name, GiveName));
        services.AddSingleton<IValidateOptions<VirtualMachineOptions>>(new MachineOptionsValidator(name));
        services.AddKeyedSingleton(name, (provider, _) => Create(provider, name));
        services.AddKeyedSingleton<IHostedVirtualMachine>(
            name, (provider, _) => provider.GetRequiredKeyedService<HostedVirtualMachine>(name));
        services.AddSingleton<IHostedVirtualMachine>(provider =>
            provider.GetRequiredKeyedService<HostedVirtualMachine>(name));
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredKeyedService<HostedVirtualMachine>(name));
        services.AddKeyedSingleton(name, (provider, _) => new MachineHealthCheck(
            provider.GetRequiredKeyedService<HostedVirtualMachine>(name),
            provider.GetRequiredService<IOptionsMonitor<VirtualMachineOptions>>(),
            provider.GetRequiredService<TimeProvider>()));

        void GiveName(VirtualMachineOptions options)
        {
            if (options.Machine.Name is null)
                options.Machine = options.Machine with { Name = name };
        }
    }

    private static HostedVirtualMachine Create(IServiceProvider provider, string name)
    {
        HostedVirtualMachine machine = new(
            name,
            provider.GetRequiredService<IOptionsMonitor<VirtualMachineOptions>>(),
            provider.GetRequiredService<IMachineFactory>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetService<ITraceFiles>());
        provider.GetRequiredService<MachineMetrics>().Add(machine);
        return machine;
    }

    private static void Apply(string name, Action<VirtualMachineOptions> configure, VirtualMachineOptions options)
    {
        try
        {
            configure(options);
        }
        catch (BadInputException e)
        {
            options.AddProblem(e.Text.Spelled(MachineConfiguration.SpellingFor(name)));
        }
    }
}
