using MiniVmm.Kvm;
using MiniVmm.Storage.Qcow2;

namespace MiniVmm.Storage;

/// <summary>Opens disks.</summary>
public static class DiskImage
{
    /// <summary>Opens, locks and checks what an option names.</summary>
    /// <param name="options">The option.</param>
    /// <param name="warn">Takes a line for the user where an image turns out to be damaged.</param>
    /// <exception cref="BadInputException">It cannot be used: missing, empty, locked, not permitted, corrupt.</exception>
    public static IDiskImage Open(DiskOptions options, Action<string> warn)
    {
        ArgumentNullException.ThrowIfNull(options);
        DiskFile file = DiskFile.Open(options.File, options.ReadOnly, options.Cache);
        try
        {
            if (file.Length == 0)
                throw new BadInputException($"{file.Subject}: is empty; `truncate -s 1G` makes room in it");
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

    /// <exception cref="BadInputException">The file cannot be read.</exception>
    private static DiskFormat Probe(DiskFile file)
    {
        Span<byte> start = stackalloc byte[4];
        int errno = file.Read(0, start);
        if (errno != 0)
            throw new BadInputException($"{file.Subject}: cannot be read: {Errno.Explain(errno)}");
        return HasQcow2Magic(start) ? DiskFormat.Qcow2 : DiskFormat.Raw;
    }
}
