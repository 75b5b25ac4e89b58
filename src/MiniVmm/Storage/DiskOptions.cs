namespace MiniVmm.Storage;

/// <summary>How a disk's contents are laid out in its file.</summary>
public enum DiskFormat
{
    /// <summary>As the guest sees them.</summary>
    Raw,

    /// <summary>QEMU's, versions 2 and 3.</summary>
    Qcow2,
}

/// <summary>What kind of drive the guest finds a disk in.</summary>
public enum DiskInterface
{
    /// <summary>A virtio device.</summary>
    Virtio,

    /// <summary>A hard disk on an IDE channel.</summary>
    Ide,

    /// <summary>A CD-ROM drive on an IDE channel, with the disc in it.</summary>
    Cdrom,

    /// <summary>A floppy drive, with the disk in it.</summary>
    Floppy,
}

/// <summary>A disk: its image, and how the guest sees and uses it.</summary>
/// <remarks>
/// Without a format the file's first bytes say it. A guest could then make its raw disk another kind, and with a
/// backing file read any file of the host at the next start: a disk found to be raw in that way refuses to have the
/// mark of qcow2 or of a foreign format written to its start, as QEMU's does. With <c>format=raw</c> the guest may write what it likes, and
/// then the format has to be given at every later start too.
/// </remarks>
public sealed record DiskOptions
{
    /// <summary>Most bytes of a serial number (virtio 1.2, 5.2.6).</summary>
    public const int MaxSerial = 20;

    /// <summary>The image or block device.</summary>
    public required string File { get; init; }

    /// <summary>The drive; a disc in a CD-ROM drive is only read.</summary>
    public DiskInterface Interface { get; init; }

    /// <summary>Whether the guest can only read it.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Whether what the guest writes is forgotten at the end, and the image stays as it is.</summary>
    public bool Snapshot { get; init; }

    /// <summary>
    /// Where those writes are kept, of disks of several machines, one after the other: whoever made it ends it. Null for a place of the disk's
    /// own, which goes with it.
    /// </summary>
    internal SnapshotOverlay? Overlay { get; init; }

    /// <summary>
    /// What the guest sees as the disk's serial number: up to 20 printable ASCII characters; null for none.
    /// </summary>
    public string? Serial { get; init; }

    /// <summary>
    /// Where a drive that is no virtio device is. On IDE 0 and 1 are master and slave of the first channel, 2 and 3 of the second; of floppy
    /// drives 0 is A and 1 is B. Null for the first place that is free once those that are named are taken, for a disc on IDE from the second
    /// channel on.
    /// </summary>
    public int? Place { get; init; }

    /// <summary>When firmware tries to boot from it: the lowest first, and before all that have none, whose kinds decide; null for none.</summary>
    public ulong? BootIndex { get; init; }

    public DiskCache Cache { get; init; } = DiskCache.WriteBack;

    /// <summary>Null to look at the file.</summary>
    public DiskFormat? Format { get; init; }

    /// <summary>Most requests a second; 0 for no limit.</summary>
    public ulong Iops { get; init; }

    /// <summary>Most bytes read and written a second; 0 for no limit.</summary>
    public ulong BytesPerSecond { get; init; }

    /// <summary>What every error about this disk starts with.</summary>
    public NamedOption Subject => (Interface switch
    {
        DiskInterface.Cdrom => OptionName.Cdrom,
        DiskInterface.Floppy => OptionName.Fda,
        _ => OptionName.Disk,
    }).With(File);
}
