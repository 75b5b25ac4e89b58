using MiniVmm.Configuration;
using MiniVmm.Storage;

namespace MiniVmm.Cli.Qemu;

/// <summary><c>-device</c>.</summary>
internal sealed partial class QemuTranslation
{
    /// <summary>Properties by which the guest's driver sees no difference, or which say where on a bus a device is.</summary>
    private static readonly string[] Unseen =
    [
        "id", "bus", "addr", "multifunction", "romfile", "rombar", "disable-legacy", "disable-modern", "iothread",
        "vectors", "mq", "num-queues", "queue-size", "rx_queue_size", "tx_queue_size", "packed", "iommu_platform", "ats",
        "event_idx", "indirect_desc", "page-per-vq", "any_layout", "host_mtu", "ioeventfd", "share-rw", "write-cache", "rng",
        "max-bytes", "period", "max_ports", "name", "nr", "x-disable-legacy-check", "logical_block_size", "physical_block_size",
    ];

    private void AddDevice(QemuWord word)
    {
        if (word.Value is ['{', ..])
            throw new BadInputException($"{word.Spelling}: JSON is not read; write driver,property=value");
        QemuList list = new(word, "driver");
        string driver = list.Require("driver");
        if (driver is "isa-debug-exit" or "pc-testdev" or "pci-testdev" or "bochs-display" or "ramfb" or "vfio-pci")
        {
            _options = _options.With(OptionName.Device, Without(word.Value, "id", "bus", "addr", "x-no-mmap", "vgamem", "edid", "xres", "yres"));
            return;
        }

        switch (Virtio(driver))
        {
            case "virtio-blk":
                _drives.Attach(list, DiskInterface.Virtio, _notes);
                break;
            case "ide-hd":
                _drives.Attach(list, DiskInterface.Ide, _notes);
                break;
            case "ide-cd":
                _drives.Attach(list, DiskInterface.Cdrom, _notes);
                break;
            case "virtio-net":
                _networks.Attach(list);
                break;
            case "virtio-9p":
                _shares.Attach(list);
                break;
            case "virtio-rng":
                _options = _options with { Rng = true };
                break;
            case "virtio-balloon":
                _options = _options with
                {
                    Balloon = BalloonText.Parse("0") with
                    {
                        DeflateOnOom = list.TakeSwitch("deflate-on-oom"),
                        Reporting = list.TakeSwitch("free-page-reporting"),
                    },
                };
                break;
            case "virtio-serial":
                break; // the bus of a console
            case "virtconsole":
                _consoles.UseVirtio(list, _notes);
                break;
            case "isa-serial":
                _consoles.UseSerial(list);
                break;
            case "isa-debugcon":
                _options = _options.With(OptionName.Device, Without(word.Value, "chardev", "id"));
                _consoles.UseDebug(list);
                list.PassOver("iobase");
                break;
            default:
                Refuse(word, list, driver);
                return;
        }

        list.PassOver(Unseen);
        if (_options.Kernel.Length > 0)
            list.PassOver("bootindex"); // nothing else is booted
        list.SayRest(_notes, $"{word.Spelling} {driver}");
    }

    /// <summary>A virtio device without the bus in its name, which <c>-machine</c> decides.</summary>
    private static string Virtio(string driver)
    {
        string[] buses = ["-non-transitional", "-transitional", "-pci", "-device"];
        foreach (string bus in buses)
        {
            if (driver.StartsWith("virtio-", StringComparison.Ordinal) && driver.EndsWith(bus, StringComparison.Ordinal))
                driver = driver[..^bus.Length];
        }

        return driver;
    }

    private void Refuse(QemuWord word, QemuList list, string driver)
    {
        const string none = "has no effect";
        (bool harmless, string why) = driver switch
        {
            "VGA" or "cirrus-vga" or "qxl" or "qxl-vga" or "vmware-svga" or "virtio-vga" or "virtio-gpu" or "virtio-gpu-pci"
                => (true, "use bochs-display or ramfb"),
            "usb-kbd" or "usb-mouse" or "usb-tablet" or "qemu-xhci" or "nec-usb-xhci" or "usb-ehci" or "ich9-usb-ehci1"
                or "piix3-usb-uhci" or "virtio-keyboard-pci" or "virtio-mouse-pci" or "virtio-tablet-pci"
                => (true, "nobody types or points there"),
            "intel-hda" or "ich9-intel-hda" or "hda-duplex" or "hda-output" or "AC97" or "ES1370" or "sb16" or "virtio-sound-pci"
                => (true, "there is no sound"),
            "i6300esb" or "ib700" => (true, "there is no watchdog"),
            "pvpanic" or "pvpanic-pci" or "vmcoreinfo" or "vmgenid" => (true, "nobody asks it"),
            "pcie-root-port" or "pci-bridge" or "pcie-pci-bridge" or "ioh3420" => (true, "every function is on bus 0"),
            "e1000" or "e1000e" or "e1000-82540em" or "rtl8139" or "ne2k_pci" or "ne2k_isa" or "pcnet" or "i82550" or "i82559er" or "vmxnet3" or "igb"
                => (false, "there is no such card; use virtio-net-pci"),
            "nvme" or "ahci" or "ich9-ahci" or "scsi-hd" or "scsi-cd" or "usb-storage" or "sd-card" or "floppy"
                or "virtio-scsi-pci" or "virtio-scsi" or "lsi53c895a" or "megasas"
                => (false, "there is no such disk; use virtio-blk-pci or ide-hd"),
            "vhost-user-fs-pci" or "vhost-user-fs-device" => (false, "folders are shared by virtio-9p-pci, with -fsdev or -virtfs"),
            "virtserialport" => (false, "the virtio console has one port; use virtconsole"),
            _ => (false, "there is no such device; 'minivmm qemu --help-qemu' names those that there are"),
        };
        if (!harmless)
            throw list.Bad(why);
        _notes.Add($"{word.Spelling} {driver} {none}: {why}");
    }

    /// <summary>The option's text without some of its keys.</summary>
    private static string Without(string text, params string[] keys) => string.Join(
        ',', text.Split(',').Where(part => Array.IndexOf(keys, part.Split('=')[0]) < 0));
}
