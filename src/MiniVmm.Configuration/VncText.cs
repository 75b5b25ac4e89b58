using System.Net;

namespace MiniVmm.Configuration;

/// <summary>
/// Where VNC clients connect: <c>[HOST:]PORT[,public=on]</c> or <c>unix:PATH</c>; <c>:N</c> is QEMU's for port 5900 + N. There is no
/// password, so that an address that others reach has to be asked for.
/// </summary>
internal static class VncText
{
    private const int FirstPort = 5900;

    /// <param name="subject">The option, for errors.</param>
    /// <param name="text">What is behind <c>vnc=</c>.</param>
    /// <exception cref="BadInputException">It is no such address, or one that others reach.</exception>
    public static StreamAddress Parse(NamedOption subject, string text)
    {
        if (text.StartsWith("unix:", StringComparison.Ordinal))
            return StreamAddressText.Parse(subject, text);
        string[] parts = text.Split(',');
        bool isPublic = false;
        foreach (string part in parts.AsSpan(1))
        {
            const string key = "public=";
            if (!part.StartsWith(key, StringComparison.Ordinal) || !SwitchText.TryParse(part[key.Length..], out isPublic))
                throw new BadInputException($"{subject}: '{part}' is not public=on or public=off");
        }

        StreamAddress address = StreamAddressText.Parse(subject, parts[0], FirstPort);
        return IPAddress.IsLoopback(address.Address!) || isPublic
            ? address
            : throw new BadInputException(
                $"{subject}: there is no password, and whoever reaches {address.Address} could see and type; use a loopback address and a "
                + $"tunnel, or add ,public=on");
    }
}
