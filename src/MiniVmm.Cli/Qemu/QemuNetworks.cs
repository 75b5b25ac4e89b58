using MiniVmm.Configuration;
using MiniVmm.Machine;

namespace MiniVmm.Cli.Qemu;

/// <summary><c>-netdev</c> with the cards of <c>-device</c>, <c>-nic</c>, and the older <c>-net</c>.</summary>
internal sealed class QemuNetworks
{
    private readonly Dictionary<string, string> _networks = new(StringComparer.Ordinal);
    private readonly List<string> _cards = [];
    private readonly List<string> _oldCards = [];
    private readonly List<string> _oldNetworks = [];

    public void Define(QemuWord word, List<string> notes)
    {
        QemuList list = new(word, "type");
        string id = list.Require("id");
        _networks[id] = Network(list.Require("type"), list, notes);
    }

    /// <summary>A virtio card of <c>-device</c>.</summary>
    public void Attach(QemuList device)
    {
        string id = device.Require("netdev");
        if (!_networks.Remove(id, out string? network))
            throw device.Bad($"no -netdev is called {id}, or another card has it");
        _cards.Add(network + Mac(device));
    }

    public void UseNic(QemuWord word, List<string> notes)
    {
        QemuList list = new(word, "type");
        string type = list.Require("type");
        if (type == "none")
            return;
        CheckModel(list, notes, word);
        string mac = Mac(list);
        _cards.Add(Network(type, list, notes) + mac);
    }

    public void UseNet(QemuWord word, List<string> notes)
    {
        QemuList list = new(word, "type");
        string type = list.Require("type");
        switch (type)
        {
            case "none":
                return;
            case "nic":
                CheckModel(list, notes, word);
                _oldCards.Add(Mac(list));
                if (list.Take("netdev") is { } id && _networks.Remove(id, out string? network))
                    _oldNetworks.Add(network);
                list.PassOver("name", "addr", "vectors", "vlan");
                list.SayRest(notes);
                break;
            default:
                _oldNetworks.Add(Network(type, list, notes));
                break;
        }
    }

    public MachineOptions AddTo(MachineOptions options, List<string> notes)
    {
        // A network of -net without a card joins nobody, and neither does a card without a network.
        IEnumerable<string> old = _oldCards.Zip(_oldNetworks, (card, network) => network + card);
        foreach (string card in _cards.Concat(old))
            options = options.With(OptionName.Net, card);
        foreach (string id in _networks.Keys)
            notes.Add($"-netdev {id} has no effect: no card uses it");
        return options;
    }

    private static void CheckModel(QemuList list, List<string> notes, QemuWord word)
    {
        switch (list.Take("model"))
        {
            case null:
                notes.Add($"{word}: the card is a virtio one, not QEMU's e1000");
                break;
            case "virtio" or "virtio-net-pci" or "virtio-net":
                break;
            case string other:
                throw list.Bad($"there is no card {other}; use model=virtio-net-pci");
        }
    }

    private static string Mac(QemuList list) => (list.Take("mac") ?? list.Take("macaddr")) is { } mac ? $",mac={mac}" : "";

    /// <summary>The text that <c>--net</c> takes.</summary>
    private static string Network(string type, QemuList list, List<string> notes)
    {
        list.PassOver("id", "name", "ipv4", "ipv6", "vhost", "script", "downscript", "helper", "br_helper", "sndbuf");
        string text = Read(type, list);
        list.SayRest(notes);
        return text;
    }

    private static string Read(string type, QemuList list)
    {
        switch (type)
        {
            case "tap":
                string queues = list.Take("queues") is { } count ? $",queues={count}" : "";
                return $"tap={list.Require("ifname")}{queues}";
            case "bridge":
                return $"bridge={list.Take("br") ?? "br0"}";
            case "user":
                if (list.TryTake("guestfwd", out _) || list.TryTake("smb", out _))
                    throw list.Bad("neither guestfwd= nor smb= is there; the host is 10.0.2.2 for the guest");
                string text = "user";
                foreach (string rule in list.TakeAll("hostfwd"))
                    text += $",hostfwd={rule}";
                foreach (string key in (string[])["net", "hostname", "dns", "restrict"])
                {
                    if (list.Take(key) is { } value)
                        text += $",{key}={value}";
                }

                return text;
            default:
                throw list.Bad($"there is no network {type}; use user, tap or bridge");
        }
    }
}
