using System.Net;
using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using MiniVmm.Host;
using MiniVmm.Hosting;

namespace MiniVmm.Serve;

/// <summary><c>minivmm serve</c>, from what it is to serve to its exit status, with one line for each thing that is wrong.</summary>
internal static class ServeProgram
{
    // The exit statuses of minivmm run.
    private const int Success = 0;
    private const int BadInput = 2;
    private const int HostLimit = 4;

    /// <param name="arguments">What is to be served.</param>
    /// <param name="errors">Takes the lines.</param>
    /// <param name="replace">Replaces services; for tests.</param>
    public static async Task<int> RunAsync(
        ServeArguments arguments, TextWriter errors, Action<IServiceCollection>? replace = null)
    {
        Linux.IgnoreFileSizeSignal(); // disks and consoles report EFBIG instead
        try
        {
            await ServeAsync(arguments, replace).ConfigureAwait(false);
            return Success;
        }
        catch (OptionsValidationException e)
        {
            return Fail(BadInput, e.Failures);
        }
        catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OptionsValidationException))
        {
            return Fail(BadInput, e.InnerExceptions.Cast<OptionsValidationException>().SelectMany(inner => inner.Failures));
        }
        catch (VmmException e)
        {
            return Fail(e is BadInputException ? BadInput : HostLimit, [e.Message]);
        }
        catch (Exception e) when (e is SystemCallException or IOException or UnauthorizedAccessException)
        {
            return Fail(HostLimit, [e.Message]);
        }
        catch (OutOfMemoryException)
        {
            return Fail(HostLimit, ["the host has no memory or no thread left for MiniVmm itself"]);
        }

        int Fail(int status, IEnumerable<string> problems)
        {
            foreach (string problem in problems)
                errors.WriteLine($"minivmm: {PlainText.Of(problem)}");
            return status;
        }
    }

    private static async Task ServeAsync(ServeArguments arguments, Action<IServiceCollection>? replace)
    {
        using IHost host = MachineHost.Build(arguments, replace);
        IHostApplicationLifetime life = host.Services.GetRequiredService<IHostApplicationLifetime>();

        // As for minivmm run; the host itself follows SIGTERM, SIGINT and SIGQUIT.
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            life.StopApplication();
        });
        try
        {
            await host.StartAsync().ConfigureAwait(false);
        }
        catch (InvalidOperationException e) when (e.InnerException is HttpListenerException why)
        {
            throw new HostLimitException($"--metrics {arguments.MetricsPort}: {why.Message}; choose another port", e);
        }

        await host.WaitForShutdownAsync().ConfigureAwait(false);
    }
}
