using MiniVmm.Sharing;

namespace MiniVmm.Cli.Qemu;

/// <summary>Shared folders: <c>-fsdev</c> with a <c>-device virtio-9p-pci</c>, or <c>-virtfs</c> for both.</summary>
internal sealed class QemuShares
{
    private readonly Dictionary<string, ShareOptions> _folders = [];

    /// <summary>Those that the guest has.</summary>
    public List<ShareOptions> Used { get; } = [];

    /// <summary>A folder that a device will name.</summary>
    public void Define(QemuWord word, List<string> notes)
    {
        QemuList list = new(word, "fsdriver");
        _folders[list.Require("id")] = Folder(word, list, notes);
        list.SayRest(notes);
    }

    /// <summary>A folder with its device.</summary>
    public void Add(QemuWord word, List<string> notes)
    {
        QemuList list = new(word, "fsdriver");
        Used.Add(Folder(word, list, notes) with { Tag = list.Require("mount_tag") });
        list.SayRest(notes);
    }

    /// <summary>A device for a folder.</summary>
    public void Attach(QemuList list)
    {
        string id = list.Require("fsdev");
        if (!_folders.TryGetValue(id, out ShareOptions? folder))
            throw list.Bad($"no -fsdev is called {id}");
        Used.Add(folder with { Tag = list.Require("mount_tag") });
    }

    private static ShareOptions Folder(QemuWord word, QemuList list, List<string> notes)
    {
        if (list.Take("fsdriver") is not "local")
            throw list.Bad("only a local folder is shared");
        if (list.Take("security_model") is { } model and not ("none" or "passthrough"))
            notes.Add($"{word.Spelling}: security_model={model} is none here: files belong to whoever runs MiniVmm");
        list.PassOver("id", "multidevs", "writeout", "fmode", "dmode");
        return new() { Folder = list.Require("path"), ReadOnly = list.TakeSwitch("readonly") };
    }
}
