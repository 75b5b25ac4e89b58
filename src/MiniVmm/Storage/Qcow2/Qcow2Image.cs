using System.Buffers.Binary;
using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

/// <summary>Opens an image's backing file.</summary>
internal delegate IDiskImage BackingOpener(string name, string? format, NamedOption subject);

/// <summary>
/// A qcow2 image, version 2 or 3 (QEMU's docs/interop/qcow2.txt): backing files, compressed clusters, internal
/// snapshots below the active state. Not: encryption, external data files, extended L2 entries, resizing.
/// </summary>
/// <remarks>
/// If the process is killed or the power fails, the image has leaked clusters at worst, never two uses of one cluster,
/// and everything that a completed <see cref="Flush"/> covers. The order that ensures this: new clusters, their
/// refcounts and the first contents of new L2 tables are written; then fdatasync; then L2 and L1 entries, which refer
/// only to what is durable by now; then fdatasync; only then are the refcounts of replaced clusters lowered, and their
/// space reused once no earlier read or write of them is in flight. L2 entries wait in memory until a flush, as in
/// QEMU: a killed process loses what a power cut would lose of a disk's own write cache.
/// <para/>
/// Two locks: <c>_update</c> for changes of the mapping and the first part of a flush, <c>_tables</c> around every look
/// at the tables. Neither is held while data is read or written.
/// </remarks>
internal sealed unsafe partial class Qcow2Image : IDiskImage
{
    private const int MaxSliceSize = 4096;
    private const ulong MaxL2CacheBytes = 4 << 20;
    private const int RefcountCacheBytes = 1 << 20;
    private const int MinSlices = 16;
    private const int MaxStackPieces = 256;

    private readonly IImageFile _file;
    private readonly Qcow2Header _header;
    private readonly IDiskImage? _backing;
    private readonly TableCache _l2Cache;
    private readonly ClusterMap _map;
    private readonly MetadataClusters _metadata = new();
    private readonly TableCache? _refcountCache;
    private readonly RefcountTable? _refcounts;
    private readonly BufferPool _scratch;
    private readonly UnpackedClusters _unpacked;
    private readonly ulong _fileLength;
    private readonly Action<OptionMessage>? _report;
    private readonly object _update = new();
    private readonly Lock _tables = new();
    private volatile bool _isBroken;
    private bool _isDisposed;

    private Qcow2Image(IImageFile file, Qcow2Header header, BackingOpener openBacking, Action<OptionMessage>? report)
    {
        _file = file;
        _header = header;
        _report = report;
        _fileLength = file.Length;
        Length = header.Size / IDiskImage.SectorSize * IDiskImage.SectorSize;
        _scratch = new BufferPool(2 * header.ClusterSize);
        _unpacked = new UnpackedClusters(header.ClusterSize);
        int slice = (int)Math.Min(header.ClusterSize, MaxSliceSize);
        ulong l2Bytes = ((header.Size + header.ClusterSize - 1) >> header.ClusterBits) * 8;
        _l2Cache = new TableCache(
            file, slice, Math.Max(MinSlices, (int)(Math.Min(l2Bytes, MaxL2CacheBytes) / (ulong)slice) + 1));
        ulong end = (_fileLength + header.ClusterSize - 1) >> header.ClusterBits << header.ClusterBits;
        _map = new ClusterMap(
            header,
            ReadTable("L1 table", header.L1Offset, (ulong)header.L1Size * 8, Math.Max(slice, IDiskImage.SectorSize)),
            _l2Cache,
            end);
        try
        {
            if (!file.IsReadOnly)
            {
                _refcountCache = new TableCache(file, slice, Math.Max(MinSlices, RefcountCacheBytes / slice));
                ulong bytes = (ulong)header.RefcountTableClusters << header.ClusterBits;
                _refcounts = new RefcountTable(
                    file,
                    header,
                    ReadTable("refcount table", header.RefcountTableOffset, bytes, (int)header.ClusterSize),
                    _refcountCache,
                    _metadata);
                CheckForWriting();
            }

            if (header.BackingFile != null)
                _backing = openBacking(header.BackingFile, header.BackingFormat, file.Subject);
            if (!file.IsReadOnly && header.AutoclearFeatures != 0)
                SetFeatures(Qcow2Header.AutoclearField, 0);
        }
        catch
        {
            Release();
            throw;
        }
    }

    public ulong Length { get; }

    public bool IsReadOnly => _file.IsReadOnly;

    /// <summary>A cluster.</summary>
    public uint DiscardGranularity => IsReadOnly ? 0 : (uint)_header.ClusterSize;

    private ulong ClusterMask => _header.ClusterSize - 1;

    /// <summary>Opens an image that is open as a file, and its backing files.</summary>
    /// <param name="file">Disposed with the image; not if this throws.</param>
    /// <param name="report">Receives one line if the image is found to be damaged while it is used.</param>
    /// <exception cref="BadInputException">Damaged, or of a kind that is not supported; or a backing file
    /// is.</exception>
    public static Qcow2Image Open(DiskFile file, Action<OptionMessage>? report = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        return Open(new HostImageFile(file), new BackingChain(file.Path, file.Cache).Open, report);
    }

    /// <inheritdoc cref="Open(DiskFile, Action{OptionMessage})"/>
    internal static Qcow2Image Open(IImageFile file, BackingOpener openBacking, Action<OptionMessage>? report)
    {
        ulong length = file.Length;
        int start = (int)Math.Min(length, Qcow2Header.MaxBytes);
        using var buffer = new AlignedBuffer((ulong)start);
        IoVector piece = buffer.Piece(0, (ulong)start);
        int errno = file.Read(0, new ReadOnlySpan<IoVector>(in piece), (ulong)start);
        if (errno != 0)
            throw new BadInputException($"{file.Subject}: cannot be read: {Errno.Explain(errno)}");
        Qcow2Header header = Qcow2Header.Parse(new ReadOnlySpan<byte>(buffer.Bytes, start), length, file.Subject);
        if (!file.IsReadOnly && (header.IncompatibleFeatures & Qcow2Header.Dirty) != 0)
        {
            throw new BadInputException($"{file.Subject}: was not closed properly and has lazy refcounts; "
                + $"`qemu-img check -r all` rebuilds them");
        }

        if (!file.IsReadOnly && (header.IncompatibleFeatures & Qcow2Header.CorruptBit) != 0)
        {
            throw new BadInputException($"{file.Subject}: is marked as corrupt; `qemu-img check -r all` repairs what can be "
                + $"repaired; ,ro opens it as it is");
        }

        return new Qcow2Image(file, header, openBacking, report);
    }

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        var slicer = new IoCursor(pieces);
        ulong left = IoVector.Total(pieces);
        Span<IoVector> part = pieces.Length <= MaxStackPieces
            ? stackalloc IoVector[pieces.Length]
            : new IoVector[pieces.Length];
        while (left > 0)
        {
            int errno;
            Mapping found;
            int epoch;
            lock (_tables)
            {
                errno = _map.Find(offset, left, out found);
                epoch = EnterData();
            }

            // A backing file may be shorter. Two steps, rather than one that splits the pieces: the images below do the
            // same, each inside the one above, on a small stack.
            if (IsInBacking(offset, found) && found.Bytes > _backing!.Length - offset)
                found = found with { Bytes = _backing.Length - offset };
            if (errno == 0)
                errno = ReadMapped(offset, found, part[..slicer.Take(found.Bytes, part)]);
            LeaveData(epoch);
            if (errno != 0)
                return errno;
            offset += found.Bytes;
            left -= found.Bytes;
        }

        return 0;
    }

    /// <summary>Writes back what is in memory, and closes the file.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        if (!IsReadOnly && !_isBroken)
        {
            // A flush writes what the previous one released; at most two batches wait for that.
            int errno = Flush();
            for (int i = 0; i < 3 && errno == 0 && _isDirty; i++)
                errno = Flush();
            if (errno != 0)
                _report?.Invoke($"{_file.Subject}: closed before all was written: {Errno.Explain(errno)}");
        }

        Release();
        _file.Dispose();
    }

    private void Release()
    {
        _map.Dispose();
        _refcounts?.Dispose();
        _scratch.Dispose();
        _unpacked.Dispose();
        if (_zeroes.IsValueCreated)
            _zeroes.Value.Dispose();
        _backing?.Dispose();
    }

    private int ReadMapped(ulong offset, in Mapping found, ReadOnlySpan<IoVector> pieces)
    {
        switch (found.Kind)
        {
            case ClusterKind.Data:
                // A file may end within its last cluster, not before it: truncated data must not read as zeroes.
                ulong last = (found.Host + found.Bytes - 1) & ~ClusterMask;
                return _file.Read(found.Host, pieces, Math.Max(_fileLength, last + 1));
            case ClusterKind.Compressed:
                return ReadCompressed(offset, found, pieces);
            case ClusterKind.Unallocated when IsInBacking(offset, found):
                return _backing!.Read(offset, pieces);
            default:
                IoVector.Clear(pieces);
                return 0;
        }
    }

    /// <summary>Whether bytes from an offset on are a backing file's; past its end they are zeroes.</summary>
    private bool IsInBacking(ulong offset, in Mapping found) =>
        found.Kind == ClusterKind.Unallocated && _backing != null && offset < _backing.Length;

    private int ReadCompressed(ulong offset, in Mapping found, ReadOnlySpan<IoVector> pieces)
    {
        UnpackedClusters.Cluster? cluster = _unpacked.Enter(found.Entry, out bool isNew);
        if (cluster == null)
            return Errno.ENOMEM;
        int errno = 0;
        if (isNew)
        {
            errno = Unpack(found.Entry, cluster.Buffer!);
            _unpacked.Complete(cluster, errno == 0);
        }

        if (errno == 0)
            new IoCursor(pieces).CopyIn(cluster.Buffer!.Bytes + (offset & ClusterMask), IoVector.Total(pieces));
        _unpacked.Leave(cluster);
        return errno;
    }

    private int Unpack(ulong entry, AlignedBuffer plain)
    {
        AlignedBuffer? packed = _scratch.Rent();
        if (packed == null)
            return Errno.ENOMEM;

        // The file may end within the last sector.
        (ulong at, ulong length) = _map.Packed(entry, out uint skip);
        length = Math.Min(length, packed.Length);
        IoVector piece = packed.Piece(0, length);
        int errno = _file.Read(at, new ReadOnlySpan<IoVector>(in piece), _fileLength);
        if (errno == 0)
        {
            errno = ClusterCodec.TryUnpack(
                _header.Compression, packed.Bytes + skip, (int)(length - skip), plain.Bytes, (int)_header.ClusterSize)
                ? 0
                : Errno.EIO;
        }

        _scratch.Return(packed);
        return errno;
    }

    private AlignedBuffer ReadTable(string name, ulong offset, ulong length, int block)
    {
        AlignedBuffer table;
        try
        {
            table = new AlignedBuffer((length + (ulong)block - 1) / (ulong)block * (ulong)block);
        }
        catch (OutOfMemoryException)
        {
            throw new HostLimitException($"{_file.Subject}: no memory for its {name} of {length} bytes");
        }

        IoVector piece = table.Piece(0, table.Length);
        int errno = length == 0 ? 0 : _file.Read(offset, new ReadOnlySpan<IoVector>(in piece), offset + length);
        if (errno == 0)
            return table;
        table.Dispose();
        throw new BadInputException($"{_file.Subject}: its {name} cannot be read: {Errno.Explain(errno)}");
    }

    /// <summary>Collects where all tables are, no two of which may overlap.</summary>
    private void CheckForWriting()
    {
        int bits = _header.ClusterBits;
        bool good = _metadata.TryAddRange(0, 1)
            && _metadata.TryAddRange(_header.L1Offset >> bits, Clusters((ulong)_header.L1Size * 8))
            && _metadata.TryAddRange(_header.RefcountTableOffset >> bits, _header.RefcountTableClusters);
        if (!good)
            throw Qcow2Header.Damaged(_file.Subject, "has overlapping tables");
        AddSnapshots();
        var tables = new List<ulong>();
        if (!_refcounts!.TryGetBlocks(tables))
            throw Qcow2Header.Damaged(_file.Subject, "has a refcount block that is not aligned, or outside of the file");
        for (ulong i = 0; i < _header.L1Size; i++)
        {
            if (_map.GetTable(i << _header.L2Bits, out ulong table, out _) != 0)
                throw Qcow2Header.Damaged(_file.Subject, $"has an L2 table at {table}, not aligned or outside of the file");
            if (table != 0)
                tables.Add(table >> bits);
        }

        foreach (ulong cluster in tables)
        {
            if (!_metadata.TryAdd(cluster))
                throw Qcow2Header.Damaged(_file.Subject, $"has two tables at {cluster << bits}");
        }
    }

    private ulong Clusters(ulong bytes) => (bytes + ClusterMask) >> _header.ClusterBits;

    /// <summary>Notes where the snapshots' table and L1 tables are.</summary>
    private void AddSnapshots()
    {
        const int FixedBytes = 40;
        ulong at = _header.SnapshotsOffset;
        using var buffer = new AlignedBuffer(FixedBytes);
        IoVector piece = buffer.Piece(0, FixedBytes);
        var entry = new ReadOnlySpan<byte>(buffer.Bytes, FixedBytes);
        for (uint i = 0; i < _header.SnapshotCount; i++)
        {
            ulong l1Offset = 0;
            uint l1Size = 0;
            bool good = _file.Read(at, new ReadOnlySpan<IoVector>(in piece), at + FixedBytes) == 0;
            if (good)
            {
                l1Offset = BinaryPrimitives.ReadUInt64BigEndian(entry);
                l1Size = BinaryPrimitives.ReadUInt32BigEndian(entry[8..]);
                ulong length = FixedBytes + (ulong)BinaryPrimitives.ReadUInt16BigEndian(entry[12..])
                    + BinaryPrimitives.ReadUInt16BigEndian(entry[14..]) + BinaryPrimitives.ReadUInt32BigEndian(entry[36..]);
                at += (length + 7) & ~7UL;
                good = l1Offset % _header.ClusterSize == 0 && l1Offset < _fileLength
                    && (ulong)l1Size * 8 <= Qcow2Header.MaxL1Bytes
                    && _metadata.TryAddRange(l1Offset >> _header.ClusterBits, Clusters((ulong)l1Size * 8));
            }

            if (!good)
                throw Qcow2Header.Damaged(_file.Subject, $"has a broken entry {i} in its snapshot table");
        }

        if (_header.SnapshotCount > 0
            && !_metadata.TryAddRange(_header.SnapshotsOffset >> _header.ClusterBits, Clusters(at - _header.SnapshotsOffset)))
        {
            throw Qcow2Header.Damaged(_file.Subject, "has a snapshot table that overlaps another table");
        }
    }

    private void SetFeatures(int field, ulong value)
    {
        int errno = WriteFeatures(field, value);
        if (errno != 0)
            throw new BadInputException($"{_file.Subject}: its header cannot be written: {Errno.Explain(errno)}");
    }

    private int WriteFeatures(int field, ulong value)
    {
        using var sector = new AlignedBuffer(IDiskImage.SectorSize);
        IoVector piece = sector.Piece(0, IDiskImage.SectorSize);
        int errno = _file.Read(0, new ReadOnlySpan<IoVector>(in piece), IDiskImage.SectorSize);
        if (errno != 0)
            return errno;
        BinaryPrimitives.WriteUInt64BigEndian(new Span<byte>(sector.Bytes + field, 8), value);
        errno = _file.Write(0, new ReadOnlySpan<IoVector>(in piece));
        return errno != 0 ? errno : _file.Flush();
    }

    /// <summary>The image contradicts itself: nothing more is written to it until it is repaired.</summary>
    /// <returns>EIO.</returns>
    private int Break(string how)
    {
        if (!_isBroken)
        {
            _isBroken = true;
            if (_header.Version >= 3)
                _ = WriteFeatures(Qcow2Header.IncompatibleField, _header.IncompatibleFeatures | Qcow2Header.CorruptBit);
            _report?.Invoke($"{_file.Subject}: is damaged: {how}; nothing more is written to it; "
                + $"`qemu-img check -r all` repairs what can be repaired");
        }

        return Errno.EIO;
    }
}
