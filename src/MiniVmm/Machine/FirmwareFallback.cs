using MiniVmm.Boot;
using MiniVmm.Storage;

namespace MiniVmm.Machine;

/// <summary>
/// What becomes of a kernel file that is none, but a disk, a disc or a floppy with code for a BIOS, or a program that starts in real
/// mode: SeaBIOS starts it, where one is installed.
/// </summary>
internal static class FirmwareFallback
{
    private static readonly string[] Folders = ["/usr/share/seabios", "/usr/share/qemu"];
    private static readonly string[] Names = ["bios-256k.bin", "bios.bin"];

    /// <summary>The same machine with firmware and that drive.</summary>
    /// <param name="options">Of a machine whose kernel file was refused.</param>
    /// <param name="refusal">Why.</param>
    /// <param name="folders">Where SeaBIOS may be; null for where distributions have it.</param>
    /// <returns>Null where the file is nothing for a BIOS, either.</returns>
    /// <exception cref="BadInputException">It is, and there is no SeaBIOS, or an option is for kernels.</exception>
    public static MachineOptions? For(MachineOptions options, BadInputException refusal, IReadOnlyList<string>? folders = null)
    {
        if (options.Firmware is not null || options.Kernel.Length == 0)
            return null;
        BootMedium medium = Recognise(options.Kernel);
        // Who names an entry of an image's menu wants that one, and firmware would not know of it.
        if (medium == BootMedium.None || options.Entry is not null)
            return null;
        string? firmware = Find(folders ?? Folders);
        if (medium == BootMedium.RealModeKernel)
        {
            return firmware is not null && FirmwareKernel.FindRom(folders ?? Folders) is not null
                ? options with { Firmware = firmware }
                : throw new BadInputException($"{refusal.Text}; SeaBIOS would start it: install seabios and qemu-system-data", refusal);
        }

        if (firmware is null)
        {
            throw new BadInputException(
                $"{refusal.Text}; firmware would boot it: install seabios, or name firmware with {OptionName.Firmware} and give the file with "
                    + $"{OptionOf(Interface(medium), null)}",
                refusal);
        }

        DiskOptions drive = new()
        {
            File = options.Kernel,
            Interface = Interface(medium),
            ReadOnly = medium == BootMedium.Cd,
        };
        return options with { Kernel = "", Firmware = firmware, Disks = [drive, .. options.Disks], BootOrder = Order(medium) };
    }

    /// <summary>One line that says what is done instead.</summary>
    public static OptionMessage Remark(MachineOptions options, MachineOptions instead)
    {
        if (instead.Kernel.Length > 0)
            return $"{options.Kernel}: starts in real mode; started as by {OptionName.Firmware.With(instead.Firmware)} {OptionName.Kernel.With(instead.Kernel)}";
        DiskOptions drive = instead.Disks[0];
        string what = drive.Interface == DiskInterface.Cdrom ? "a CD" : "a boot sector";
        return $"{options.Kernel}: {what}, and no kernel that MiniVmm enters itself; started as by "
            + $"{OptionName.Firmware.With(instead.Firmware)} {OptionOf(drive.Interface, drive.File)}";
    }

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
