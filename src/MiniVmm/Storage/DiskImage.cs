using MiniVmm.Host;
using MiniVmm.Storage.Qcow2;

namespace MiniVmm.Storage;

/// <summary>Opens disks.</summary>
internal static class DiskImage
{
    /// <summary>Opens, locks and checks what an option names.</summary>
    /// <param name="options">The option.</param>
    /// <param name="warn">Receives a line for the user if an image turns out to be damaged.</param>
    /// <exception cref="BadInputException">It cannot be used: missing, empty, locked, not permitted,
    /// corrupt.</exception>
    /// <exception cref="HostLimitException">There is no room for a snapshot.</exception>
    public static IDiskImage Open(DiskOptions options, Action<OptionMessage> warn)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!options.Snapshot || options.ReadOnly)
            return OpenItself(options, warn);
        IDiskImage below = OpenItself(options with { ReadOnly = true }, warn);
        try
        {
            return options.Overlay is { } kept ? new SnapshotImage(below, kept) : new SnapshotImage(below, options.Subject);
        }
        catch
        {
            below.Dispose();
            throw;
        }
    }

    private static IDiskImage OpenItself(DiskOptions options, Action<OptionMessage> warn)
    {
        bool readOnly = options.ReadOnly || options.Interface == DiskInterface.Cdrom;
        // An empty disk is of use only to a guest that may write to it.
        DiskFile file = readOnly
            ? DiskFile.Open(options.File, readOnly, options.Cache, options.Subject, "check the name, and the folder it is relative to")
            : DiskFile.Open(options.File, readOnly, options.Cache, options.Subject);
        try
        {
            if (file.Length == 0)
                throw new BadInputException($"{file.Subject}: is empty{(readOnly ? "" : "; `truncate -s 1G` gives it a size")}");
            DiskFormat format = options.Format ?? Probe(file);
            return format == DiskFormat.Raw
                ? new RawImage(file, probed: options.Format == null)
                : Qcow2Image.Open(file, warn);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether a file that starts like this is qcow2 (docs/interop/qcow2.txt): "QFI" and 0xfb.</summary>
    public static bool HasQcow2Magic(ReadOnlySpan<byte> start) => start.StartsWith("QFI"u8) && start[3..] is [0xfb, ..];

    /// <summary>Probes a file whose format was not given.</summary>
    /// <param name="file">The file.</param>
    /// <param name="above">The image that it is a backing file of, or null: an option says the format of the topmost alone.</param>
    /// <exception cref="BadInputException">It cannot be read, or is another program's image.</exception>
    internal static DiskFormat Probe(DiskFile file, string? above = null)
    {
        Span<byte> bytes = stackalloc byte[ForeignFormat.MarkBytes];
        Read(file, 0, bytes);
        if (HasQcow2Magic(bytes))
            return DiskFormat.Qcow2;
        ForeignFormat? foreign = ForeignFormat.AtStart(bytes) ?? ForeignFormat.Compressed(bytes);
        if (foreign is null && file.Length >= ForeignFormat.MarkBytes)
        {
            Read(file, file.Length - ForeignFormat.MarkBytes, bytes);
            foreign = ForeignFormat.AtEnd(bytes);
        }

        if (foreign is null)
            return DiskFormat.Raw;
        string otherwise = above is null
            ? ", or use format=raw to take its bytes as they are"
            : $", and put that below with `qemu-img rebase -u -b NEW -F FORMAT {above}`";
        throw new BadInputException($"{file.Subject}: is {foreign.Owner}, not supported; {foreign.Remedy(file.Path)}{otherwise}");
    }

    /// <summary>Whether it begins as qcow2 images do.</summary>
    /// <exception cref="BadInputException">It cannot be read.</exception>
    internal static bool IsQcow2(DiskFile file)
    {
        Span<byte> bytes = stackalloc byte[4];
        Read(file, 0, bytes);
        return HasQcow2Magic(bytes);
    }

    private static void Read(DiskFile file, ulong offset, Span<byte> bytes)
    {
        if (file.Read(offset, bytes) is not 0 and int errno)
            throw new BadInputException($"{file.Subject}: cannot be read: {Errno.Explain(errno)}");
    }

    /// <summary>Whether a file that starts like this would not be taken for a raw disk.</summary>
    internal static bool LooksFormatted(ReadOnlySpan<byte> start) =>
        HasQcow2Magic(start) || ForeignFormat.AtStart(start) is not null;
}
