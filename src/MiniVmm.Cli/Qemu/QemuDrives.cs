using MiniVmm.Machine;
using MiniVmm.Storage;

namespace MiniVmm.Cli.Qemu;

/// <summary><c>-drive</c>, <c>-blockdev</c>, and the disks of <c>-device</c> that use them.</summary>
internal sealed class QemuDrives
{
    private readonly List<Drive> _drives = [];
    private readonly Dictionary<string, QemuList> _nodes = new(StringComparer.Ordinal);
    private readonly List<DiskOptions> _attached = [];

    /// <summary>A drive, and whether a disk of the guest is it.</summary>
    private sealed record Drive(string? Id, bool IsVirtio, DiskOptions Disk);

    public void Define(QemuWord word, List<string> notes)
    {
        if (word.Option.Name == "blockdev")
        {
            if (word.Value is ['{', ..])
                throw new BadInputException($"{word.Spelling}: JSON is not read; write driver=…,node-name=…");
            QemuList node = new(word, "driver");
            _nodes[node.Require("node-name")] = node;
            return;
        }

        QemuList list = new(word, "file");
        string bus = list.Take("if") ?? "ide";
        if (bus is not ("virtio" or "none"))
            throw list.Bad($"there is no {(bus == "ide" ? "IDE" : bus)}; use if=virtio");
        if (list.Take("media") is "cdrom")
            throw list.Bad("there is no CD drive; leave media=cdrom out, and the guest has a disk that it can only read with readonly=on");
        DiskOptions disk = Disk(list, list.Require("file"));
        string? id = list.Take("id");
        PassOverTheUnseen(list);
        if (list.Rest() is { } rest)
            notes.Add($"{word.Spelling}: {rest} has no effect");
        _drives.Add(new(id, bus == "virtio", disk));
    }

    /// <summary>A virtio disk of <c>-device</c>.</summary>
    public void Attach(QemuList device)
    {
        string id = device.Require("drive");
        DiskOptions disk = _drives.Find(drive => drive.Id == id)?.Disk
            ?? (_nodes.TryGetValue(id, out QemuList? node) ? DiskOf(node) : throw device.Bad($"no -drive or -blockdev is called {id}"));
        _attached.Add(disk with { Serial = device.Take("serial") ?? disk.Serial });
    }

    /// <summary>The options with the disks, those of <c>-drive if=virtio</c> first.</summary>
    public MachineOptions AddTo(MachineOptions options) => options with
    {
        Disks = [.. _drives.Where(drive => drive.IsVirtio).Select(drive => drive.Disk), .. _attached],
    };

    /// <summary>A tree of nodes: the format's on top, or the file's alone.</summary>
    private DiskOptions DiskOf(QemuList node)
    {
        bool readOnly = node.TakeSwitch("read-only");
        string driver = node.Require("driver");
        if (driver is "file" or "host_device")
            return new() { File = node.Require("filename"), Format = DiskFormat.Raw, ReadOnly = readOnly };
        DiskFormat format = Format(node, driver);
        if (node.Take("file.filename") is { } file)
            return new() { File = file, Format = format, ReadOnly = readOnly };
        string below = node.Require("file");
        return _nodes.TryGetValue(below, out QemuList? protocol)
            ? DiskOf(protocol) with { Format = format, ReadOnly = readOnly }
            : throw node.Bad($"no -blockdev is called {below}");
    }

    private static DiskOptions Disk(QemuList list, string file) => new()
    {
        File = file,
        Format = list.Take("format") is { } format ? Format(list, format) : null,
        ReadOnly = list.TakeSwitch("readonly") | list.TakeSwitch("read-only"),
        Snapshot = list.TakeSwitch("snapshot"),
        Serial = list.Take("serial"),
        Cache = list.Take("cache") switch
        {
            null or "writeback" or "writethrough" => DiskCache.WriteBack,
            "none" or "directsync" => DiskCache.None,
            "unsafe" => DiskCache.Unsafe,
            string other => throw list.Bad($"cache={other}: use writeback, none or unsafe"),
        },
        Iops = list.TakeNumber("throttling.iops-total") ?? list.TakeNumber("iops") ?? 0,
        BytesPerSecond = list.TakeNumber("throttling.bps-total") ?? list.TakeNumber("bps") ?? 0,
    };

    private static DiskFormat Format(QemuList list, string format) => format switch
    {
        "raw" => DiskFormat.Raw,
        "qcow2" => DiskFormat.Qcow2,
        _ => throw list.Bad($"images of format {format} are not read; `qemu-img convert -O qcow2` converts them"),
    };

    private static void PassOverTheUnseen(QemuList list) =>
        list.PassOver("index", "unit", "bus", "aio", "discard", "detect-zeroes", "werror", "rerror", "copy-on-read", "media");
}
