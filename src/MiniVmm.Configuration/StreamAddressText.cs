using System.Globalization;
using System.Net;

namespace MiniVmm.Configuration;

/// <summary>Where clients connect: <c>[HOST:]PORT</c> or <c>unix:PATH</c>.</summary>
internal static class StreamAddressText
{
    private const string Unix = "unix:";

    /// <param name="subject">The option, for errors.</param>
    /// <param name="text">The address; without a host, the loopback.</param>
    /// <param name="firstPort">What a port behind nothing but a colon is counted from.</param>
    /// <exception cref="BadInputException">It is no such address.</exception>
    public static StreamAddress Parse(NamedOption subject, string text, int firstPort = 0)
    {
        if (text.StartsWith(Unix, StringComparison.Ordinal))
        {
            return text.Length > Unix.Length
                ? new(null, 0, text[Unix.Length..])
                : throw new BadInputException($"{subject}: the path is missing");
        }

        int colon = text.LastIndexOf(':');
        string host = text[..Math.Max(colon, 0)].Trim('[', ']');
        bool isNumber = int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port);
        if (colon == 0)
            port = port <= ushort.MaxValue ? port + firstPort : port;
        if (!isNumber || port is < 1 or > ushort.MaxValue)
            throw new BadInputException($"{subject}: '{text}' is not a port, HOST:PORT or unix:PATH");
        IPAddress? address = host switch
        {
            "" or "localhost" => IPAddress.Loopback,
            _ => IPAddress.TryParse(host, out IPAddress? given) ? given : null,
        };
        return address is null
            ? throw new BadInputException($"{subject}: '{host}' is not an IP address")
            : new(address, port, null);
    }
}
