using System.Globalization;
using MiniVmm.Machine;
using MiniVmm.Storage;

namespace MiniVmm.Cli.Qemu;

/// <summary><c>-drive</c>, <c>-blockdev</c>, and the disks of <c>-device</c> that use them.</summary>
internal sealed class QemuDrives
{
    private readonly List<Drive> _drives = [];
    private readonly Dictionary<string, QemuList> _nodes = new(StringComparer.Ordinal);
    private readonly List<DiskOptions> _attached = [];
    private readonly List<(ulong Unit, string File)> _flashes = [];

    /// <summary>A drive, and where the guest has it.</summary>
    /// <param name="Id">What -device calls it.</param>
    /// <param name="Index">Its place among those of its kind; null for the next.</param>
    /// <param name="IsAttached">Whether it is the guest's without a -device.</param>
    /// <param name="Disk">What is in it.</param>
    private sealed record Drive(string? Id, ulong? Index, bool IsAttached, DiskOptions Disk);

    /// <summary>Whether the guest has any.</summary>
    public bool AreThere => _attached.Count > 0 || _drives.Exists(drive => drive.IsAttached);

    /// <summary>The firmware of the first flash, and the variables of the second; null where they are not given.</summary>
    public (string? Code, string? Variables) Flashes =>
        (_flashes.Find(flash => flash.Unit == 0).File, _flashes.Find(flash => flash.Unit == 1).File);

    /// <summary>Takes -hda to -hdd, -cdrom, -fda and -fdb.</summary>
    public void DefineShort(QemuWord word)
    {
        (DiskInterface kind, ulong index) = word.Option.Name switch
        {
            "cdrom" => (DiskInterface.Cdrom, 2ul),
            "fda" => (DiskInterface.Floppy, 0ul),
            "fdb" => (DiskInterface.Floppy, 1ul),
            string name => (DiskInterface.Ide, (ulong)(name[^1] - 'a')),
        };
        _drives.Add(new(null, index, IsAttached: true, new()
        {
            File = word.Value,
            Interface = kind,
            ReadOnly = kind == DiskInterface.Cdrom,
        }));
    }

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
        if (bus == "pflash")
        {
            _flashes.Add((list.TakeNumber("unit") ?? list.TakeNumber("index") ?? (ulong)_flashes.Count, list.Require("file")));
            list.PassOver("format", "readonly", "read-only", "id", "snapshot");
            list.RequireAllTaken();
            return;
        }

        if (bus is not ("virtio" or "ide" or "floppy" or "none"))
            throw list.Bad($"there is no {bus}; use if=virtio or if=ide");
        bool cdrom = list.Take("media") is "cdrom";
        string file = list.Require("file");
        if (file.StartsWith("fat:", StringComparison.Ordinal))
            throw list.Bad("no folder is made into a disk; make an image of it, with mformat and mcopy of the package mtools");
        DiskOptions disk = Disk(list, file) with
        {
            Interface = bus switch
            {
                _ when cdrom => DiskInterface.Cdrom,
                "ide" => DiskInterface.Ide,
                "floppy" => DiskInterface.Floppy,
                _ => DiskInterface.Virtio,
            },
        };
        if (cdrom)
            disk = disk with { ReadOnly = true };
        ulong? index = list.TakeNumber("index");
        string? id = list.Take("id");
        PassOverTheUnseen(list);
        if (list.Rest() is { } rest)
            notes.Add($"{word.Spelling}: {rest} has no effect");
        _drives.Add(new(id, index, bus != "none", disk));
    }

    /// <summary>A disk of <c>-device</c>.</summary>
    public void Attach(QemuList device, DiskInterface kind)
    {
        string id = device.Require("drive");
        DiskOptions disk = _drives.Find(drive => drive.Id == id)?.Disk
            ?? (_nodes.TryGetValue(id, out QemuList? node) ? DiskOf(node) : throw device.Bad($"no -drive or -blockdev is called {id}"));
        _attached.Add(disk with
        {
            Interface = kind,
            ReadOnly = disk.ReadOnly || kind == DiskInterface.Cdrom,
            Serial = device.Take("serial") ?? disk.Serial,
            BootIndex = TakeBootIndex(device),
        });
    }

    private ulong? TakeBootIndex(QemuList device)
    {
        if (device.Take("bootindex") is not { } text || text == "-1") // QEMU's word for none
            return null;
        if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong index) || index > int.MaxValue)
            throw device.Bad($"bootindex={text} is no number from 0 to {int.MaxValue}");
        if (_attached.Exists(disk => disk.BootIndex == index))
            throw device.Bad($"another disk has bootindex={index}");
        return index;
    }

    /// <summary>The options with the disks, those of <c>-drive</c> first, in the order of their places.</summary>
    public MachineOptions AddTo(MachineOptions options)
    {
        ulong next = 0;
        IEnumerable<DiskOptions> placed = _drives.Where(drive => drive.IsAttached)
            .Select(drive => (Index: next = drive.Index ?? next + 1, drive.Disk))
            .OrderBy(drive => drive.Index)
            .Select(drive => drive.Disk);
        return options with { Disks = [.. placed, .. _attached] };
    }

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
        list.PassOver("unit", "bus", "aio", "discard", "detect-zeroes", "werror", "rerror", "copy-on-read", "media");
}
