using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using MiniVmm.Host;

namespace MiniVmm.Serve;

/// <summary><c>minivmm serve</c>, from its arguments to its exit status, with one line for each thing that is wrong.</summary>
internal static class ServeProgram
{
    // The exit statuses of minivmm run.
    private const int Success = 0;
    private const int BadInput = 2;
    private const int HostLimit = 4;

    public static async Task<int> RunAsync(string[] args)
    {
        Linux.IgnoreFileSizeSignal(); // disks and consoles report EFBIG instead
        try
        {
            using IHost host = MachineHost.Build(ServeArguments.Parse(args));
            await host.RunAsync().ConfigureAwait(false);
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
        catch (Exception e) when (e is SystemCallException or HttpListenerException)
        {
            return Fail(HostLimit, [e.Message]);
        }
    }

    private static int Fail(int status, IEnumerable<string> problems)
    {
        foreach (string problem in problems)
            Console.Error.WriteLine($"minivmm: {problem}");
        return status;
    }
}
