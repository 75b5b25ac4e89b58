using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Serve;

namespace MiniVmm.Tools;

/// <summary><c>minivmm serve</c>: a host of many machines.</summary>
internal sealed class ServeCommand : DocumentedCommand
{
    private readonly Argument<string[]> _files = new("FILE")
    {
        Arity = ArgumentArity.OneOrMore,
        Description = "Configuration in JSON: the machines under VirtualMachines; a later file counts more",
    };
    private readonly Option<string?> _metrics = new("--metrics")
    {
        HelpName = "PORT",
        Description = "Serve metrics for Prometheus on that port of the loopback, under /metrics",
    };

    public ServeCommand()
        : base("serve", "Run the machines of a configuration, and restart them, until SIGTERM")
    {
        Arguments.Add(_files);
        Group("Observing", "minivmm serve --metrics 9464 machines.json", _metrics);
        SetAction((line, _) => ServeProgram.RunAsync(Read(line), Standard.Error));
    }

    /// <exception cref="BadInputException">The port is none.</exception>
    internal ServeArguments Read(ParseResult line) => ServeArguments.Read(line.GetValue(_files) ?? [], line.GetValue(_metrics));
}
