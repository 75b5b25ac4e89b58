using MiniVmm.Boot;
using MiniVmm.Storage;

namespace MiniVmm.Machine;

/// <summary>
/// What becomes of a kernel file that is none, but a disk, a disc or a floppy with code for a BIOS, or a program that starts in real
/// mode: SeaBIOS starts it, where one is installed. Any other fault is the user's to mend, and is left to him.
/// </summary>
internal static class FirmwareFallback
{
    private static readonly string[] Folders = ["/usr/share/seabios", "/usr/share/qemu"];
    private static readonly string[] Names = ["bios-256k.bin", "bios.bin"];

    /// <summary>The same machine with firmware and that drive.</summary>
    /// <param name="options">Of a machine that was refused.</param>
    /// <param name="refusal">Why.</param>
    /// <param name="folders">Where SeaBIOS may be; null for where distributions have it.</param>
    /// <returns>Null where it is not the kernel's file that is at fault, or that is nothing for a BIOS, either.</returns>
    /// <exception cref="BadInputException">It is, and there is no SeaBIOS, or an option is for kernels.</exception>
    public static MachineOptions? For(MachineOptions options, BadInputException refusal, IReadOnlyList<string>? folders = null)
    {
        if (refusal.NoKernel is not { } reason || options.Firmware is not null || options.Kernel.Length == 0)
            return null;
        // Who says what the file is, or names an entry of an image's menu, wants that, and firmware would not know of it.
        if (options.Format != BinaryFormat.Auto || options.LoadAddress is not null || options.Entry is not null)
            return null;
        BootMedium medium = Recognise(options.Kernel);
        if (medium == BootMedium.None)
            return null;
        string? firmware = Find(folders ?? Folders);
        if (medium == BootMedium.RealModeKernel)
        {
            return firmware is not null && FirmwareKernel.FindRom(folders ?? Folders) is not null
                ? options with { Firmware = firmware }
                : throw new BadInputException($"{reason}; SeaBIOS would start it: install seabios and qemu-system-data", refusal);
        }

        if (firmware is null)
        {
            throw new BadInputException(
                $"{reason}; firmware would boot it: install seabios, or name firmware with {OptionName.Firmware} and give the file with "
                    + $"{OptionOf(Interface(medium), null)}",
                refusal);
        }

        DiskOptions drive = new()
        {
            File = options.Kernel,
            Interface = Interface(medium),
            ReadOnly = medium == BootMedium.Cd,
        };

        // Firmware boots from the first of a kind: the others make room.
        IEnumerable<DiskOptions> others = options.Disks.Select(disk => disk with { Place = null });
        return options with { Kernel = "", Firmware = firmware, Disks = [drive, .. others], BootOrder = Order(medium) };
    }

    /// <summary>One line that says what is done instead, and why.</summary>
    public static OptionMessage Remark(MachineOptions instead, BadInputException refusal)
    {
        if (instead.Kernel.Length > 0)
            return $"{instead.Kernel}: starts in real mode; started as by {OptionName.Firmware.With(instead.Firmware)} {OptionName.Kernel.With(instead.Kernel)}";
        DiskOptions drive = instead.Disks[0];
        return $"{refusal.NoKernel ?? refusal.Text}; started as by {OptionName.Firmware.With(instead.Firmware)} {OptionOf(drive.Interface, drive.File)}";
    }

    /// <summary>The refusal of a machine that is none with firmware, either: what the user asked for comes first.</summary>
    public static BadInputException Refusal(BadInputException first, BadInputException second) =>
        new($"{first.NoKernel ?? first.Text}; SeaBIOS would start it, but {second.Text}", second);

    /// <summary>SeaBIOS where it is installed, or null.</summary>
    /// <param name="first">Folders to look into before those of the distributions.</param>
    public static string? FindSeaBios(IEnumerable<string> first) => Find([.. first, .. Folders]);

    /// <summary>The first SeaBIOS of some folders.</summary>
    private static string? Find(IEnumerable<string> folders) =>
        (from folder in folders from name in Names select Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static BootOrder Order(BootMedium medium) => new(medium switch
    {
        BootMedium.Cd => "dca",
        BootMedium.Floppy => "acd",
        _ => "cda",
    });

    private static DiskInterface Interface(BootMedium medium) => medium switch
    {
        BootMedium.Cd => DiskInterface.Cdrom,
        BootMedium.Floppy => DiskInterface.Floppy,
        _ => DiskInterface.Ide,
    };

    private static NamedOption OptionOf(DiskInterface drive, string? file) => drive switch
    {
        DiskInterface.Cdrom => OptionName.Cdrom.With(file),
        DiskInterface.Floppy => OptionName.Fda.With(file),
        _ => OptionName.Disk.With($"{file ?? "FILE"},if=ide"),
    };

    private static BootMedium Recognise(string path) =>
        InputFile.TryReadStart(path, BootMedia.HeadLength, out long length) is { } head
            ? BootMedia.Recognise(head, length)
            : BootMedium.None; // the refusal says why
}
