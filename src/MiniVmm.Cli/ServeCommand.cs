using System.CommandLine;
using MiniVmm.Cli.Reference;
using MiniVmm.Host;

namespace MiniVmm.Cli;

/// <summary>
/// <c>minivmm serve</c>: becomes the program of that name beside this one. The host of .NET that it is built on would cost
/// every <c>minivmm run</c> some of its start and memory.
/// </summary>
internal sealed class ServeCommand : DocumentedCommand
{
    private const string Program = "minivmm-serve";

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
        SetAction(Run);
    }

    /// <summary>The arguments of the other program, its name first.</summary>
    internal IEnumerable<string> Handover(ParseResult line) =>
    [
        Program,
        .. line.GetValue(_metrics) is { } port ? ["--metrics", port] : Array.Empty<string>(),
        "--",
        .. line.GetValue(_files) ?? [],
    ];

    private int Run(ParseResult line)
    {
        string path = Path.Combine(Path.GetDirectoryName(Environment.ProcessPath) ?? "/", Program);
        int error = Linux.Execute(path, Handover(line));
        throw new HostLimitException($"{path}: cannot be run: {Errno.Explain(error)}; install it beside minivmm");
    }
}
