using System.Globalization;
using System.Net;

namespace MiniVmm.Serve;

/// <summary>
/// <c>[--metrics PORT] [--] FILE…</c>, as <c>minivmm serve</c> hands it over, with help and completion on its side.
/// </summary>
/// <param name="Files">The configuration, where a later file counts more than an earlier one.</param>
/// <param name="MetricsPort">The TCP port of the metrics, or null for none.</param>
internal sealed record ServeArguments(IReadOnlyList<string> Files, int? MetricsPort)
{
    /// <exception cref="BadInputException">They are not such arguments.</exception>
    public static ServeArguments Parse(ReadOnlySpan<string> args)
    {
        int? port = null;
        if (args is ["--metrics", string text, .. ReadOnlySpan<string> rest])
        {
            port = Port(text);
            args = rest;
        }

        if (args is ["--", ..])
            args = args[1..];
        else if (args is [['-', ..] option, ..])
            throw new BadInputException($"unknown option {option}; see minivmm serve --help");
        return args.Length > 0
            ? new(args.ToArray(), port)
            : throw new BadInputException("no configuration given; write minivmm serve FILE.json");
    }

    private static int Port(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            && port is > IPEndPoint.MinPort and <= IPEndPoint.MaxPort
            ? port
            : throw new BadInputException($"--metrics {text}: not a port; write a number from 1 to {IPEndPoint.MaxPort}");
}
