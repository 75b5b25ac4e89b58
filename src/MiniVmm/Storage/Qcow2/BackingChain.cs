namespace MiniVmm.Storage.Qcow2;

/// <summary>
/// Opens what an image names as its backing file: read-only, with a lock that others may share; only local files of a
/// known format.
/// </summary>
/// <remarks>
/// If an image does not name its backing file's format, that file is probed. It is taken for qcow2 if it begins like
/// one, but must not have a backing file itself then: a guest that once wrote it as a raw disk could have forged such a
/// header to read any file of the host.
/// </remarks>
internal sealed class BackingChain
{
    /// <summary>Most images on top of each other.</summary>
    public const int MaxDepth = 32;

    private readonly List<string> _paths = [];
    private readonly DiskCache _cache;
    private string _last;
    private bool _mayHaveBacking = true;

    /// <param name="path">The topmost image.</param>
    /// <param name="cache">How the backing files are read, too.</param>
    public BackingChain(string path, DiskCache cache)
    {
        _paths.Add(FullPath(path));
        _last = path;
        _cache = cache;
    }

    /// <summary>Opens the next image down.</summary>
    /// <param name="name">As the one above has it.</param>
    /// <param name="format">As the one above has it; null for none.</param>
    /// <param name="subject">What errors start with.</param>
    /// <exception cref="BadInputException">It cannot be opened, or must not be.</exception>
    public IDiskImage Open(string name, string? format, NamedOption subject)
    {
        if (!_mayHaveBacking)
        {
            throw new BadInputException($"{subject}: has a backing file, although its own format is only guessed; "
                + $"state the format with `qemu-img rebase -u -F qcow2 -b FILE OVERLAY`");
        }

        string path = Resolve(name, subject);
        string full = FullPath(path);
        if (_paths.Contains(full))
            throw new BadInputException($"{subject}: its backing files form a loop: {path} is its own");
        if (_paths.Count > MaxDepth)
            throw new BadInputException($"{subject}: more than {MaxDepth} backing files on top of each other");
        _paths.Add(full);
        string above = _last;
        _last = path;
        NamedOption below = subject with { Value = $"{subject.Value}, backing file {path}" };
        DiskFile file = DiskFile.Open(
            path,
            readOnly: true,
            _cache,
            below,
            $"{above} refers to it as '{name}', which holds part of its data; put it back or, if it was moved, "
            + $"give its new name with `qemu-img rebase -u -b NEW -F {format ?? "FORMAT"} {above}`");
        try
        {
            bool isQcow2 = format switch
            {
                "qcow2" => DiskImage.IsQcow2(file) ? true : throw new BadInputException(
                    $"{below}: is not a qcow2 image, although {above} says so; if it is a raw one, correct that with "
                    + $"`qemu-img rebase -u -b {name} -F raw {above}`"),
                "raw" => false,
                null => DiskImage.Probe(file, above) == DiskFormat.Qcow2,
                _ => throw new BadInputException(
                    $"{below}: has the format {format}; only raw and qcow2 are supported; see `qemu-img convert`"),
            };
            if (!isQcow2)
                return new RawImage(file, probed: false);
            _mayHaveBacking = format != null;
            return Qcow2Image.Open(new HostImageFile(file), Open, null);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file's absolute path, links followed where there are.</summary>
    private static string FullPath(string path)
    {
        string full = Path.GetFullPath(path);
        try
        {
            return File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return full;
        }
    }

    /// <summary>
    /// Names are relative to the directory of the image that contains them, by the name that image was opened with: no
    /// link is followed for that, or QEMU would find another file. Anything but a plain file name is refused.
    /// </summary>
    private string Resolve(string name, NamedOption subject)
    {
        string plain = name.StartsWith("file:", StringComparison.Ordinal) ? name["file:".Length..] : name;
        int colon = plain.IndexOf(':', StringComparison.Ordinal);
        int slash = plain.IndexOf('/', StringComparison.Ordinal);
        if (plain.Length == 0 || (colon >= 0 && (slash < 0 || colon < slash)))
            throw new BadInputException($"{subject}: has the backing file {name}, which is not the name of a local file");
        return Path.Combine(Path.GetDirectoryName(_last) ?? "/", plain);
    }
}
