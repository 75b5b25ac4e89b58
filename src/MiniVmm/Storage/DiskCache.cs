namespace MiniVmm.Storage;

/// <summary>How a disk uses the host's page cache; the names are QEMU's.</summary>
public enum DiskCache
{
    /// <summary>Through the page cache; a flush is fdatasync(2).</summary>
    WriteBack,

    /// <summary>
    /// Past the page cache (O_DIRECT); a flush is fdatasync(2) all the same, for the drive's own cache.
    /// </summary>
    None,

    /// <summary>Through the page cache, and a flush does nothing: for throw-away guests.</summary>
    Unsafe,
}
