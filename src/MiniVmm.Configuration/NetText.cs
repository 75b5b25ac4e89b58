using System.Globalization;
using MiniVmm.Network;

namespace MiniVmm.Configuration;

/// <summary>
/// A network card: a mode, then keys with values, separated by commas, as in <c>user,hostfwd=tcp::2222-:22</c>.
/// </summary>
public sealed class NetText
{
    private static readonly string[] Modes = ["user", "tap", "bridge", "nat", "none"];
    private static readonly string[] UserKeys = ["mac", "mtu", "bw", "hostfwd", "net", "hostname", "dns", "restrict"];
    private static readonly string[] TapKeys = ["mac", "mtu", "bw", "queues"];

    private readonly string _text;
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);
    private readonly List<HostForward> _forwards = [];
    private NetOptions _options = new() { Mode = NetMode.None };

    private NetText(string text) => _text = text;

    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static NetOptions Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new NetText(text).Read();
    }

    private NetOptions Read()
    {
        string[] parts = _text.Split(',');
        ParseMode(parts[0]);
        foreach (string part in parts.AsSpan(1))
            ParseKey(part);
        if (_options.Mode == NetMode.User)
        {
            _options = _options with { User = _options.User with { HostForwards = _forwards } };
            CheckUser(_options.User);
        }

        return _options;
    }

    private void ParseMode(string part)
    {
        (string mode, string? value) = Divide(part);
        _options = mode switch
        {
            "none" when value is null => new NetOptions { Mode = NetMode.None },
            "user" when value is null => new NetOptions { Mode = NetMode.User },
            "tap" => new NetOptions { Mode = NetMode.Tap, Interface = Name(mode, value) },
            "bridge" => new NetOptions { Mode = NetMode.Bridge, Interface = Name(mode, value) },
            "nat" => new NetOptions { Mode = NetMode.Nat, Subnet = value is null ? null : NatSubnet(value) },
            "none" or "user" => throw Bad($"{mode} takes no value; separate its keys by commas"),
            "" => throw Bad("no kind of network; use user, tap=NAME, bridge=NAME, nat or none"),
            _ => throw Bad($"unknown kind of network '{mode}'{DidYouMean(mode, Modes)}; "
                + "use user, tap=NAME, bridge=NAME, nat or none"),
        };
    }

    private void ParseKey(string part)
    {
        if (part.Length == 0)
            throw Bad("an empty part; remove a comma");
        (string key, string? given) = Divide(part);
        if (_options.Mode == NetMode.None)
            throw Bad($"none takes no keys, but was given '{key}'");
        if (key is "queues" && _options.Mode == NetMode.User)
            throw Bad("queues is only for taps; user has one pair of queues");
        string[] known = _options.Mode == NetMode.User ? UserKeys : TapKeys;
        if (Array.IndexOf(known, key) < 0)
        {
            string mode = _text[.._text.AsSpan().IndexOfAny(',', '=')];
            throw Bad($"{mode} has no key '{key}'{DidYouMean(key, known)}; it has {string.Join(", ", known)}");
        }

        if (string.IsNullOrEmpty(given))
            throw Bad($"{key} has no value; use {key}=…");
        if (key != "hostfwd" && !_given.Add(key))
            throw Bad($"{key} is given twice");

        UserNetOptions user = _options.User;
        _options = key switch
        {
            "mac" => _options with { Mac = Mac(given) },
            "mtu" => _options with { Mtu = (ushort)Number(key, given, NetOptions.LeastMtu, NetOptions.MostMtu) },
            "bw" => _options with { Bandwidth = ParseBandwidth(given) },
            "queues" => _options with { Queues = Number(key, given, 1, NetOptions.MostQueues) },
            "net" => _options with { User = user with { Network = UserNetwork(given) } },
            "hostname" => _options with { User = user with { Hostname = Hostname(given) } },
            "dns" => _options with { User = user with { Dns = Address(key, given) } },
            "restrict" => _options with { User = user with { Restrict = Switch(key, given) } },
            _ => Forward(given),
        };
    }

    private NetOptions Forward(string value)
    {
        // [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT
        string[] sides = value.Split('-');
        string[] host = sides[0].Split(':');
        string[] guest = sides.Length == 2 ? sides[1].Split(':') : [];
        if (host.Length != 3 || guest.Length != 2 || host[0] is not ("" or "tcp" or "udp"))
        {
            throw Bad($"hostfwd={value} is not a forwarding rule; "
                + "use [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT, as in tcp::2222-:22");
        }

        HostForward forward = new(
            host[0] == "udp",
            host[1].Length == 0 ? Ipv4Address.Any : Address("hostfwd", host[1]),
            (ushort)Number("hostfwd", host[2], 1, ushort.MaxValue),
            guest[0].Length == 0 ? Ipv4Address.Any : Address("hostfwd", guest[0]),
            (ushort)Number("hostfwd", guest[1], 1, ushort.MaxValue));
        if (_forwards.Any(other => other.IsUdp == forward.IsUdp && other.HostPort == forward.HostPort
            && other.HostAddress == forward.HostAddress))
            throw Bad($"hostfwd={value}: this host port is already forwarded");
        _forwards.Add(forward);
        return _options;
    }

    /// <summary>Checks what depends on the network, which may come later in the text.</summary>
    private void CheckUser(UserNetOptions user)
    {
        if (user.Dns is { } dns && !IsHost(user.Network, dns))
            throw Bad($"dns={dns} is not an address in the guest's network {user.Network}");
        foreach (HostForward forward in user.HostForwards)
        {
            if (forward.GuestAddress != Ipv4Address.Any && !IsHost(user.Network, forward.GuestAddress))
                throw Bad($"hostfwd to {forward.GuestAddress}: not an address in the guest's network {user.Network}");
        }
    }

    private static bool IsHost(Ipv4Network network, Ipv4Address address) =>
        network.Contains(address) && address != network.Address && address != network.Broadcast;

    private string Name(string mode, string? value)
    {
        if (string.IsNullOrEmpty(value))
            throw Bad($"{mode} has no name; use {mode}= and the name of a host interface");
        if (value.Length > NetOptions.LongestInterfaceName || value is "." or ".."
            || value.AsSpan().ContainsAnyExceptInRange('!', '~') || value.AsSpan().ContainsAny("/:%"))
        {
            throw Bad($"'{value}' is not the name of an interface; "
                + $"names have at most {NetOptions.LongestInterfaceName} characters, and no space, /, : or %");
        }

        return value;
    }

    private Ipv4Network NatSubnet(string value)
    {
        if (!Ipv4Network.TryParse(value, out Ipv4Network network))
            throw Bad($"nat={value} is not a network; write it as in nat=192.168.77.0/24");
        if (network.PrefixLength is < 8 or > 29)
            throw Bad($"nat={value}: must be from /8 to /29, to have addresses for the host and its guests");
        CheckUnicast("nat", network);
        return network;
    }

    private Ipv4Network UserNetwork(string value)
    {
        if (!Ipv4Network.TryParse(value, out Ipv4Network network))
            throw Bad($"net={value} is not a network; write it as in net=10.0.2.0/24");
        if (network.PrefixLength is < 8 or > 27)
            throw Bad($"net={value}: must be from /8 to /27, as the guest's address is .15 in it");
        CheckUnicast("net", network);
        return network;
    }

    /// <summary>
    /// The kernel gives an interface any address, and a host with 127.0.0.0/8 on a bridge can no longer reach itself.
    /// </summary>
    private void CheckUnicast(string key, Ipv4Network network)
    {
        if (network.Address.Value >> 24 is 0 or 127 or >= 224)
            throw Bad($"{key}={network}: machines cannot have such addresses; use a network such as 192.168.77.0/24");
    }

    private MacAddress Mac(string value)
    {
        if (!MacAddress.TryParse(value, out MacAddress mac))
            throw Bad($"mac={value} is not an address; write six bytes, as in mac=52:54:00:12:34:56");
        if (!mac.IsUnicast)
            throw Bad($"mac={value} cannot be a card's address; the first byte must be even, and not all may be 0");
        return mac;
    }

    private string Hostname(string value)
    {
        // libslirp keeps 32 characters and would silently drop the rest.
        if (value.Length > 32 || value[0] == '-' || !value.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.'))
            throw Bad($"hostname={value} is not a host name; use at most 32 letters, digits, dashes and dots");
        return value;
    }

    private Ipv4Address Address(string key, string value) => Ipv4Address.TryParse(value, out Ipv4Address address)
        ? address
        : throw Bad($"{key}: '{value}' is not an IPv4 address, such as 10.0.2.15");

    private bool Switch(string key, string value) =>
        SwitchText.TryParse(value, out bool on) ? on : throw Bad($"{key}={value}: {SwitchText.Problem}");

    private ulong ParseBandwidth(string value)
    {
        // Elsewhere a bare number is MiB; here that is too easily misread.
        if (char.IsAsciiDigit(value[^1]))
            throw Bad($"bw={value} has no unit; give bytes per second with K, M or G, as in bw=10M");
        if (!SizeText.TryParse(value, out ulong bandwidth, out string? problem))
            throw Bad($"bw {value}: {problem}");
        return bandwidth != 0 ? bandwidth : throw Bad("bw=0 would let nothing through; for no limit, leave it out");
    }

    private int Number(string key, string value, int least, int most)
    {
        if (value.Length is 0 or > 9 || value.AsSpan().ContainsAnyExceptInRange('0', '9')
            || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            || number < least || number > most)
            throw Bad($"{key}: '{value}' is not a whole number from {least} to {most}");
        return number;
    }

    private static (string Key, string? Value) Divide(string part)
    {
        int equals = part.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (part, null) : (part[..equals], part[(equals + 1)..]);
    }

    private static string DidYouMean(string word, string[] known) =>
        Spelling.Closest(word, known) is { } near ? $" (did you mean {near}?)" : "";

    private BadInputException Bad(string complaint) => new($"{OptionName.Net.With(_text)}: {complaint}");
}
