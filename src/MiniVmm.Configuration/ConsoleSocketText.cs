using System.Globalization;
using MiniVmm.Terminal;

namespace MiniVmm.Configuration;

/// <summary>
/// A socket as QEMU's <c>-serial</c> has it: <c>unix:PATH</c> or <c>tcp:[HOST]:PORT</c>, with <c>,server</c> for one that
/// others connect to, and <c>,wait=off</c> for a guest that does not wait for them.
/// </summary>
internal static class ConsoleSocketText
{
    private const string Unix = "unix:";
    private const string Tcp = "tcp:";
    private const string Shape = "unix:PATH[,server][,wait=off] or tcp:[HOST]:PORT[,server][,wait=off]";

    /// <returns>Null for a text that is no socket.</returns>
    /// <exception cref="BadInputException">It is one, and something is wrong with it.</exception>
    public static ConsoleSocket? TryParse(string text, OptionName option = OptionName.Console)
    {
        bool unix = text.StartsWith(Unix, StringComparison.Ordinal);
        if (!unix && !text.StartsWith(Tcp, StringComparison.Ordinal))
            return null;
        List<string> parts = CommaList.Split(text);
        (bool server, bool waits) = (false, true);
        foreach (string part in parts.Skip(1))
        {
            string[] halves = part.Split('=', 2);
            bool on = halves.Length == 1
                || (SwitchText.TryParse(halves[1], out bool value) ? value : throw Bad(option, text, $"'{part}': {SwitchText.Problem}"));
            switch (halves[0])
            {
                case "server":
                    server = on;
                    break;
                case "wait":
                    waits = on;
                    break;
                case "nowait":
                    waits = false;
                    break;
                case "nodelay":
                    break; // no byte waits for another here
                default:
                    throw Bad(option, text, $"unknown '{part}'; use {Shape}");
            }
        }

        string address = parts[0][(unix ? Unix : Tcp).Length..];
        if (unix)
            return address.Length > 0 ? new(address, "", 0, server, waits) : throw Bad(option, text, $"no path; use {Shape}");
        int colon = address.LastIndexOf(':');
        return colon >= 0 && ushort.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)
            && port > 0
            ? new(null, address[..colon].Trim('[', ']'), port, server, waits)
            : throw Bad(option, text, $"no port from 1 to 65535; use {Shape}");
    }

    private static BadInputException Bad(OptionName option, string text, string complaint) => new($"{option.With(text)}: {complaint}");
}
