using System.Globalization;
using MiniVmm.Machine;
using MiniVmm.Storage;

namespace MiniVmm.Cli.Qemu;

/// <summary><c>-drive</c>, <c>-blockdev</c>, and the disks of <c>-device</c> that use them.</summary>
internal sealed class QemuDrives
{
    private const string Ide = "ide", Virtio = "virtio", Floppy = "floppy", Flash = "pflash", None = "none";

    private readonly List<Drive> _drives = [];
    private readonly Dictionary<string, QemuList> _nodes = new(StringComparer.Ordinal);
    private readonly List<DiskOptions> _board = [];
    private readonly List<DiskOptions> _attached = [];
    private readonly List<DiskOptions> _virtio = [];
    private readonly string?[] _flashes = new string?[2];
    private QemuPlaces _places = new(isQ35: false);

    /// <summary>A drive of the command line.</summary>
    /// <param name="Word">Its option.</param>
    /// <param name="Id">What -device calls it.</param>
    /// <param name="Bus">if=.</param>
    /// <param name="Asked">Where it is to be.</param>
    /// <param name="Disk">What is in it.</param>
    private sealed record Drive(QemuWord Word, string? Id, string Bus, QemuPlace Asked, DiskOptions Disk);

    /// <summary>Whether the guest has any that it could boot from.</summary>
    public bool AreThere => _attached.Count > 0 || _board.Count > 0 || _virtio.Count > 0;

    /// <summary>By which option each file was given.</summary>
    public Dictionary<string, string> Spellings { get; } = new(StringComparer.Ordinal);

    /// <summary>The firmware of the first flash, and the variables of the second; null where they are not given.</summary>
    public (string? Code, string? Variables) Flashes => (_flashes[0], _flashes[1]);

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
        _drives.Add(new(word, null, kind == DiskInterface.Floppy ? Floppy : Ide, new(index, null, null), new()
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
        string bus = list.Take("if") ?? Ide;
        QemuPlace asked = new(list.TakeNumber("index"), list.TakeNumber("bus"), list.TakeNumber("unit"));
        if (bus == Flash)
        {
            _drives.Add(new(word, null, bus, asked, new() { File = list.Require("file") }));
            list.PassOver("format", "readonly", "read-only", "id", "snapshot");
            list.RequireAllTaken();
            return;
        }

        if (bus is not (Virtio or Ide or Floppy or None))
            throw list.Bad($"there is no {bus}; use if=virtio or if=ide");
        bool cdrom = list.Take("media") is "cdrom";
        string file = list.Require("file");
        if (file.StartsWith("fat:", StringComparison.Ordinal))
            throw list.Bad("no folder is made into a disk; make an image of it, with mformat and mcopy of the package mtools");
        DiskOptions disk = Disk(list, file) with
        {
            Interface = bus switch
            {
                Ide when cdrom => DiskInterface.Cdrom,
                Ide => DiskInterface.Ide,
                Floppy => DiskInterface.Floppy,
                _ => DiskInterface.Virtio,
            },
        };
        if (cdrom)
            disk = disk with { ReadOnly = true };
        string? id = list.Take("id");
        PassOverTheUnseen(list);
        list.SayRest(notes);
        _drives.Add(new(word, id, bus, asked, disk));
    }

    /// <summary>Gives the drives of -drive and its short forms their places, in the order of the command line.</summary>
    /// <param name="isQ35">Whether the machine is QEMU's q35.</param>
    /// <exception cref="BadInputException">There is no such place, or two drives ask for it.</exception>
    public void Place(bool isQ35)
    {
        _places = new(isQ35);
        foreach (Drive drive in _drives)
        {
            Spellings[drive.Disk.File] = drive.Word.Spelling;
            int unit = _places.Take(drive.Word, drive.Bus, drive.Asked);
            switch (drive.Bus)
            {
                case Ide:
                    _board.Add(drive.Disk with { Place = QemuPlaces.OnIde(unit) });
                    break;
                case Floppy:
                    _board.Add(drive.Disk with { Place = unit });
                    break;
                case Flash:
                    _flashes[unit] = drive.Disk.File;
                    break;
                case Virtio:
                    _virtio.Add(drive.Disk);
                    break;
            }
        }

        if (_flashes is [null, { } variables])
            throw new BadInputException($"-drive {variables}: the flash of unit 1 holds the variables of firmware; give that as unit=0");
    }

    /// <summary>A disk of <c>-device</c>.</summary>
    public void Attach(QemuList device, DiskInterface kind, List<string> notes)
    {
        string id = device.Require("drive");
        Drive? drive = _drives.Find(drive => drive.Id == id);
        if (drive is { Bus: not None })
            throw device.Bad($"the guest has {id} already, by if={drive.Bus}; write if=none there");
        DiskOptions disk = drive?.Disk
            ?? (_nodes.TryGetValue(id, out QemuList? node) ? DiskOf(node, notes) : throw device.Bad($"no -drive or -blockdev is called {id}"));
        _attached.Add(disk with
        {
            Interface = kind,
            ReadOnly = disk.ReadOnly || kind == DiskInterface.Cdrom,
            Place = kind is DiskInterface.Ide or DiskInterface.Cdrom ? QemuPlaces.OnIde(_places.TakeOnIde(device)) : null,
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

    /// <summary>
    /// The options with the disks. QEMU makes a <c>-device</c> of each <c>if=virtio</c>, behind those of the command line: the guest finds
    /// these first, then the others in their order there, whatever index= says.
    /// </summary>
    public MachineOptions AddTo(MachineOptions options) => options with { Disks = [.. _board, .. _attached, .. _virtio] };

    /// <summary>A tree of nodes: the format's on top, or the file's alone.</summary>
    private DiskOptions DiskOf(QemuList node, List<string> notes)
    {
        bool readOnly = node.TakeSwitch("read-only");
        bool direct = node.TakeSwitch("cache.direct"), unsafely = node.TakeSwitch("cache.no-flush");
        DiskCache cache = unsafely ? DiskCache.Unsafe : direct ? DiskCache.None : DiskCache.WriteBack;
        string driver = node.Require("driver");
        DiskOptions disk;
        if (driver is "file" or "host_device")
        {
            disk = new() { File = node.Require("filename"), Format = DiskFormat.Raw };
        }
        else if (node.Take("file.filename") is { } file)
        {
            node.PassOver("file.driver", "file.node-name");
            disk = new() { File = file, Format = Format(node, driver) };
        }
        else
        {
            string below = node.Require("file");
            disk = _nodes.TryGetValue(below, out QemuList? protocol)
                ? DiskOf(protocol, notes) with { Format = Format(node, driver) }
                : throw node.Bad($"no -blockdev is called {below}");
        }

        Spellings[disk.File] = "-blockdev";
        PassOverTheUnseen(node);
        node.PassOver("auto-read-only", "force-share", "locking");
        node.SayRest(notes);
        return disk with { ReadOnly = readOnly, Cache = cache != DiskCache.WriteBack ? cache : disk.Cache };
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
        list.PassOver("aio", "discard", "detect-zeroes", "werror", "rerror", "copy-on-read", "media");
}
