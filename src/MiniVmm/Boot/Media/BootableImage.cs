using Microsoft.Win32.SafeHandles;
using MiniVmm.Boot.Payload;
using MiniVmm.Memory;

namespace MiniVmm.Boot.Media;

/// <summary>
/// An image of a disk or a CD-ROM whose boot loader's configuration says what to boot: read in place of the boot loader,
/// without firmware. Only what is needed of the image is read.
/// </summary>
internal sealed class BootableImage : IDisposable
{
    /// <summary>Most bytes of a configuration file.</summary>
    private const ulong MostText = 1 << 20;

    private static readonly string[] GrubPaths =
    [
        "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg", "/grub2/grub.cfg", "/EFI/BOOT/grub.cfg", "/grub.cfg",
    ];

    private static readonly string[] LiminePaths =
    [
        "/boot/limine/limine.conf", "/boot/limine.conf", "/limine/limine.conf", "/limine.conf", "/EFI/BOOT/limine.conf",
        "/boot/limine/limine.cfg", "/boot/limine.cfg", "/limine/limine.cfg", "/limine.cfg", "/EFI/BOOT/limine.cfg",
    ];

    private static readonly string[] SyslinuxPaths =
    [
        "/isolinux/isolinux.cfg", "/boot/isolinux/isolinux.cfg", "/isolinux.cfg", "/boot/syslinux/syslinux.cfg",
        "/boot/syslinux/isolinux.cfg", "/syslinux/syslinux.cfg", "/boot/syslinux/extlinux.conf", "/extlinux/extlinux.conf",
        "/syslinux.cfg", "/extlinux.conf",
    ];

    private readonly string _name;
    private readonly MediaView _image;

    private BootableImage(string name, MediaView image) => (_name, _image) = (name, image);

    /// <summary>The image at a path; null for a file that is none, or that cannot be read.</summary>
    public static BootableImage? Open(string path)
    {
        // Only what is sure not to wait: a FIFO would, and whoever reads the file says what is wrong with it.
        if (!File.Exists(path) || new FileInfo(path).Length < 512)
            return null;
        FileView? view = null;
        try
        {
            SafeFileHandle file = File.OpenHandle(path);
            view = new FileView(file);
            if (Of(path, view) is { } medium)
            {
                view = null;
                return medium;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        finally
        {
            view?.Dispose();
        }

        return null;
    }

    /// <summary>The same of bytes that are there; disposing it disposes of them.</summary>
    public static BootableImage? Of(string name, MediaView image)
    {
        // Most files are kernels: those are told by their first bytes, and no more is read.
        Span<byte> start = stackalloc byte[1024];
        start = start[..(int)Math.Min(start.Length, image.Length)];
        if (!image.TryRead(0, start) || IsKernel(start))
            return null;
        const int head = 0x8800;
        byte[]? bytes = image.Read(0, (int)Math.Min(image.Length, head));
        return bytes is not null && IsMedium(bytes) ? new(name, image) : null;
    }

    private static bool IsKernel(ReadOnlySpan<byte> start) => LinuxSetupHeader.HasMagic(start) || ElfFile.HasMagic(start);

    /// <summary>Whether a file's beginning is that of such an image, and not of a kernel.</summary>
    private static bool IsMedium(ReadOnlySpan<byte> head)
    {
        if (MultibootHeader.Find(head, out _) is { Addresses: not null })
            return false;
        bool isIso = head.Length > 0x8006 && head[0x8001..].StartsWith("CD001"u8);
        bool hasRecord = head.Length >= 512 && head[510] == 0x55 && head[511] == 0xaa;
        return isIso || Ext2Volume.Recognise(head) || (hasRecord && FileKind.Recognise(head) is { HoldsFiles: true });
    }

    /// <summary>
    /// The request for the kernel of an entry, with its files and words; those of the original come behind them.
    /// </summary>
    /// <param name="original">What the user asked for.</param>
    /// <param name="files">Gets what is to be disposed of after the load.</param>
    /// <exception cref="BadInputException">The image has no such entry or files, or no configuration.</exception>
    public BootRequest Request(BootRequest original, List<IDisposable> files)
    {
        try
        {
            return Choose(original, files);
        }
        catch (IOException e)
        {
            throw new BadInputException($"{_name}: cannot be read: {e.Message}", e);
        }
        catch (OutOfMemoryException e)
        {
            throw new HostLimitException($"{_name}: the host has no memory to read its files into", e);
        }
    }

    public void Dispose() => (_image as IDisposable)?.Dispose();

    private BootRequest Choose(BootRequest original, List<IDisposable> files)
    {
        List<IMediaVolume> volumes = [.. Volumes()];
        if (FindMenu(volumes) is not var (volume, path, menu))
        {
            FileKind? kind = FileKind.Recognise(_image.Read(0, (int)Math.Min(_image.Length, 0x8800)));
            string what = volumes.Count > 0 ? volumes[0].Kind : kind?.Name ?? "an image";
            throw BadInputException.OfNoKernel(
                $"{_name}: {what} without a grub.cfg, limine.conf or syslinux.cfg that names a kernel",
                $"; start it with {OptionName.Firmware} and {OptionName.Disk} or {OptionName.Cdrom}, or take its kernel out and name that");
        }

        MenuEntry entry = menu.Choose(_name, original.Entry);
        if (entry.Kernel is not { Path.Length: > 0 } kernel)
        {
            throw BadInputException.OfNoKernel(
                $"{_name}: {path}: the entry \"{entry.Title}\" boots no kernel{(entry.Other is null ? "" : $" ({entry.Other})")}",
                $"; choose another with {OptionName.Entry.With(NumberOfFirst(menu))}");
        }

        ulong most = original.Memory.Size;
        List<string> notes = [$"{volume.Kind}, {path}: {menu.Entries.Count} {(menu.Entries.Count == 1 ? "entry" : "entries")}"];
        for (int i = 0; i < menu.Entries.Count; i++)
            notes.Add($"{(ReferenceEquals(menu.Entries[i], entry) ? "→" : " ")} {i + 1} {menu.Entries[i]}");
        ulong left = most; // for what boot loaders unpack: a stream is as long as its writer likes
        BootModule Load(string file, string words, MenuCodecs unpacked = MenuCodecs.None)
        {
            string name = $"{_name}:{file}";
            MediaFile found = volume.Find(file) ?? throw BadInputException.OfNoKernel($"{name}: the image has no such file; {path} names it");
            NativeBuffer buffer = found.Read(name, most);
            files.Add(buffer);
            PayloadCodec codec = PayloadCodecs.Recognise(buffer.GetSpan());
            if (!Undoes(unpacked, codec))
                return new(new(file, words), buffer.Memory);
            NativeBuffer contents = PackedFile.Unpack(name, codec, buffer.GetSpan(), left, isKernel: false);
            files.Add(contents);
            left -= (ulong)contents.Length;
            notes.Add($"{file}: {PayloadCodecs.Name(codec)}, unpacked by MiniVmm as by the boot loader: {buffer.Length} → {contents.Length} bytes");
            files.Remove(buffer);
            buffer.Dispose();
            return new(new(file, words), contents.Memory);
        }

        string line = string.Join(' ', ((string[])[kernel.Words, original.CommandLine]).Where(words => words.Length > 0));
        return original with
        {
            KernelName = $"{_name}:{kernel.Path}",
            ToldName = kernel.Path,
            IsFromLoader = true,
            Volume = (file, words) => volume.Find(file) is null ? null : Load(file, words),
            Kernel = Load(kernel.Path, "").Data,
            Initrds = [.. entry.Initrds.Select(file => Load(file, "")), .. original.Initrds],
            Modules = [.. entry.Modules.Select(module => Load(module.Path, module.Words, module.Unpacked)), .. original.Modules],
            CommandLine = line,
            Protocol = entry.Protocol,
            Entry = null,
            Notes = [.. notes, .. original.Notes],
        };
    }

    private static bool Undoes(MenuCodecs codecs, PayloadCodec codec) => codec switch
    {
        PayloadCodec.Gzip => codecs.HasFlag(MenuCodecs.Gzip),
        PayloadCodec.Xz => codecs.HasFlag(MenuCodecs.Xz),
        _ => false,
    };

    private static string NumberOfFirst(BootMenu menu)
    {
        int first = menu.Entries.TakeWhile(entry => entry.Kernel is null).Count();
        return first < menu.Entries.Count ? $"{first + 1}" : "N";
    }

    private IEnumerable<IMediaVolume> Volumes()
    {
        if (Iso9660Volume.Open(_image) is { } iso)
            yield return iso;
        foreach (MediaView part in Partitions.Of(_image).Prepend(_image))
        {
            if (FatVolume.Open(part) is { } fat)
                yield return fat;
            else if (Ext2Volume.Open(part) is { } ext2)
                yield return ext2;
        }
    }

    private static (IMediaVolume Volume, string Path, BootMenu Menu)? FindMenu(List<IMediaVolume> volumes)
    {
        foreach (IMediaVolume volume in volumes)
        {
            foreach (string path in GrubPaths.Concat(LiminePaths).Concat(SyslinuxPaths))
            {
                if (Text(volume, path) is { } text && Parse(volume, path, text) is { Entries.Count: > 0 } menu
                    && menu.Entries.Any(entry => entry.Kernel is not null))
                    return (volume, path, menu);
            }
        }

        return null;
    }

    private static BootMenu Parse(IMediaVolume volume, string path, string text)
    {
        string folder = path[..(path.LastIndexOf('/') + 1)];
        return Path.GetFileName(path) switch
        {
            "grub.cfg" => GrubConfiguration.Parse(text, other => Text(volume, other)),
            "limine.conf" => LimineConfiguration.Parse(text, isOld: false),
            "limine.cfg" => LimineConfiguration.Parse(text, isOld: true),
            _ => SyslinuxConfiguration.Parse(text, folder, other => Text(volume, other)),
        };
    }

    private static string? Text(IMediaVolume volume, string path)
    {
        if (volume.Find(path) is not { } file || (ulong)file.Length > MostText)
            return null;
        using NativeBuffer buffer = file.Read(path, MostText);
        return System.Text.Encoding.UTF8.GetString(buffer.GetSpan());
    }
}
