using System.Globalization;
using System.Net;

namespace MiniVmm.Serve;

/// <summary>What is to be served.</summary>
/// <param name="Files">The configuration, where a later file counts more than an earlier one.</param>
/// <param name="MetricsPort">The TCP port of the metrics, or null for none.</param>
internal sealed record ServeArguments(IReadOnlyList<string> Files, int? MetricsPort)
{
    /// <param name="files">The configuration.</param>
    /// <param name="metrics">What <c>--metrics</c> has, or null.</param>
    /// <exception cref="BadInputException">The port is none.</exception>
    public static ServeArguments Read(IReadOnlyList<string> files, string? metrics) =>
        new(files, metrics is null ? null : Port(metrics));

    private static int Port(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            && port is > IPEndPoint.MinPort and <= IPEndPoint.MaxPort
            ? port
            : throw new BadInputException($"--metrics {text}: not a port; write a number from 1 to {IPEndPoint.MaxPort}");
}
