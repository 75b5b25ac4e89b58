using System.Globalization;
using System.Net;
using MiniVmm.Display.Rfb;

namespace MiniVmm.Configuration;

/// <summary>
/// Where VNC clients connect: <c>[HOST:]PORT[,public=on]</c> or <c>unix:PATH</c>; <c>:N</c> is QEMU's for port 5900 + N. There is no
/// password, so that an address that others reach has to be asked for.
/// </summary>
internal static class VncText
{
    private const string Unix = "unix:";
    private const int FirstPort = 5900;

    /// <param name="subject">The option, for errors.</param>
    /// <param name="text">What is behind <c>vnc=</c>.</param>
    /// <exception cref="BadInputException">It is no such address, or one that others reach.</exception>
    public static VncAddress Parse(NamedOption subject, string text)
    {
        if (text.StartsWith(Unix, StringComparison.Ordinal))
        {
            return text.Length > Unix.Length
                ? new(null, 0, text[Unix.Length..])
                : throw new BadInputException($"{subject}: the path is missing");
        }

        string[] parts = text.Split(',');
        bool isPublic = false;
        foreach (string part in parts.AsSpan(1))
        {
            const string key = "public=";
            if (!part.StartsWith(key, StringComparison.Ordinal) || !SwitchText.TryParse(part[key.Length..], out isPublic))
                throw new BadInputException($"{subject}: '{part}' is not public=on or public=off");
        }

        int colon = parts[0].LastIndexOf(':');
        string host = parts[0][..Math.Max(colon, 0)].Trim('[', ']');
        bool isNumber = int.TryParse(
            parts[0].AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port);
        if (colon == 0)
            port = port <= ushort.MaxValue ? port + FirstPort : port;
        if (!isNumber || port is < 1 or > ushort.MaxValue)
            throw new BadInputException($"{subject}: '{parts[0]}' is not a port, HOST:PORT or unix:PATH");
        IPAddress? address = host switch
        {
            "" or "localhost" => IPAddress.Loopback,
            _ => IPAddress.TryParse(host, out IPAddress? given) ? given : null,
        };
        if (address is null)
            throw new BadInputException($"{subject}: '{host}' is not an IP address");
        return IPAddress.IsLoopback(address) || isPublic
            ? new(address, port, null)
            : throw new BadInputException(
                $"{subject}: there is no password, and whoever reaches {host} could see and type; use a loopback address and a "
                + $"tunnel, or add ,public=on");
    }
}
