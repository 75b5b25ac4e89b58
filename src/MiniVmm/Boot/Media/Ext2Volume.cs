using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Boot.Media;

/// <summary>
/// An ext2, ext3 or ext4 file system (Linux, Documentation/filesystems/ext4), as it is on the disk: a journal that was not replayed is
/// left out, as GRUB does. Symbolic links are followed.
/// </summary>
internal sealed class Ext2Volume : IMediaVolume
{
    private const int SuperblockOffset = 1024, SuperblockSize = 1024;
    private const ushort Magic = 0xef53;
    private const uint RootInode = 2;
    private const int MostDirectory = 4 << 20;
    private const int MostLinks = 8;
    private const int InlineSize = 60; // of an inode's block numbers, or of a short link

    // Features that change how the file system is read (s_feature_incompat), of those that are understood.
    private const uint NeedsRecovery = 0x4, UsesExtents = 0x40, Is64Bit = 0x80;
    private const uint Known = 0x2 | NeedsRecovery | UsesExtents | Is64Bit | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x2_0000;

    private readonly MediaView _image;
    private readonly int _blockSize;
    private readonly uint _inodes, _inodesPerGroup;
    private readonly int _inodeSize, _descriptorSize;
    private readonly long _descriptors;

    private Ext2Volume(MediaView image, ReadOnlySpan<byte> super, int blockSize, uint features)
    {
        const int descriptorSize = 32;
        _image = image;
        _blockSize = blockSize;
        _inodes = U32(super, 0);
        _inodesPerGroup = U32(super, 40);
        _inodeSize = U32(super, 76) == 0 ? 128 : U16(super, 88);
        _descriptorSize = (features & Is64Bit) != 0 ? Math.Max(descriptorSize, (int)U16(super, 254)) : descriptorSize;
        _descriptors = (U32(super, 20) + 1L) * blockSize;
        Kind = (features & UsesExtents) != 0 ? "ext4" : (U32(super, 92) & 4) != 0 ? "ext3" : "ext2";
    }

    public string Kind { get; }

    /// <summary>Whether an image begins with one.</summary>
    /// <param name="head">At least 2 KiB of it.</param>
    public static bool Recognise(ReadOnlySpan<byte> head) =>
        head.Length >= SuperblockOffset + SuperblockSize && IsSuperblock(head[SuperblockOffset..]);

    /// <summary>The file system of a volume; null if it is none, or one with features that are not understood.</summary>
    public static Ext2Volume? Open(MediaView image)
    {
        if (image.Read(SuperblockOffset, SuperblockSize) is not { } super || !IsSuperblock(super))
            return null;
        uint features = U32(super, 76) == 0 ? 0 : U32(super, 96);
        if ((features & ~Known) != 0)
            return null;
        Ext2Volume volume = new(image, super, 1024 << (int)U32(super, 24), features);
        bool isSound = volume._inodesPerGroup > 0 && volume._inodeSize is >= 128 and <= 4096 && volume._descriptorSize <= 1024;
        return isSound ? volume : null;
    }

    public MediaFile? Find(string path)
    {
        int links = MostLinks;
        return Walk(RootInode, path, ref links) is { IsFile: true } found ? Contents(found) : null;
    }

    /// <summary>The inode at the end of a path.</summary>
    private Inode? Walk(uint from, string path, ref int links)
    {
        uint at = path.StartsWith('/') ? RootInode : from;
        Inode? inode = Read(at);
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (inode is not { IsDirectory: true } || FindIn(inode, name) is not { } next || Read(next) is not { } found)
                return null;
            if (found.IsLink)
            {
                if (links-- == 0 || Target(found) is not { } target || Walk(at, target, ref links) is not { } end)
                    return null;
                found = end;
            }

            (at, inode) = (found.Number, found);
        }

        return inode;
    }

    /// <summary>A name in a directory: as it is spelled, else in any case.</summary>
    private uint? FindIn(Inode directory, string name)
    {
        if (directory.Size > MostDirectory || Whole(directory) is not { } bytes)
            return null;
        uint? similar = null;
        for (int at = 0; at + 8 <= bytes.Length;)
        {
            uint inode = U32(bytes, at);
            int length = U16(bytes, at + 4);
            int nameLength = bytes[at + 6];
            if (length < 8 + nameLength || length > bytes.Length - at)
                return similar;
            string own = Encoding.UTF8.GetString(bytes, at + 8, nameLength);
            if (inode != 0 && own == name)
                return inode;
            if (inode != 0 && own.Equals(name, StringComparison.OrdinalIgnoreCase))
                similar ??= inode;
            at += length;
        }

        return similar;
    }

    private string? Target(Inode link)
    {
        if (link.Size < InlineSize)
            return Encoding.UTF8.GetString(link.Blocks.AsSpan(0, (int)link.Size));
        return link.Size <= _blockSize && Whole(link) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;
    }

    private Inode? Read(uint number)
    {
        if (number == 0 || number > _inodes)
            return null;
        (uint group, uint index) = Math.DivRem(number - 1, _inodesPerGroup);
        if (_image.Read(_descriptors + ((long)group * _descriptorSize), _descriptorSize) is not { } descriptor)
            return null;
        long table = U32(descriptor, 8) | (_descriptorSize >= 64 ? (long)U32(descriptor, 40) << 32 : 0);
        if (table <= 0 || table > _image.Length / _blockSize
            || _image.Read((table * _blockSize) + ((long)index * _inodeSize), _inodeSize) is not { } bytes)
            return null;
        ulong size = U32(bytes, 4) | ((ulong)U32(bytes, 108) << 32);
        return new(number, U16(bytes, 0), (long)Math.Min(size, long.MaxValue), U32(bytes, 32), bytes[40..(40 + InlineSize)]);
    }

    private byte[]? Whole(Inode inode)
    {
        if (Contents(inode) is not { } file)
            return null;
        byte[] bytes = new byte[file.Length];
        int done = 0;
        foreach (MediaView extent in file.Extents)
        {
            int count = (int)Math.Min(extent.Length, bytes.Length - done);
            if (!extent.TryRead(0, bytes.AsSpan(done, count)))
                return null;
            done += count;
        }

        return bytes;
    }

    /// <summary>Where an inode's bytes lie; null where that is not all in the image.</summary>
    private MediaFile? Contents(Inode inode)
    {
        if (inode.Size > int.MaxValue)
            return new(inode.Size, []); // more than anybody reads
        Layout layout = new(_image, _blockSize, (inode.Size + _blockSize - 1) / _blockSize);
        bool isWhole = inode.HasExtents
            ? AddExtents(layout, inode.Blocks, depthAbove: 6)
            : AddBlocks(layout, inode.Blocks);
        return isWhole && layout.End() is { } extents ? new(inode.Size, extents) : null;
    }

    /// <summary>A node of the tree of extents; each is a level below the one before, so that there is no loop.</summary>
    private bool AddExtents(Layout layout, ReadOnlySpan<byte> node, int depthAbove)
    {
        const int entrySize = 12;
        int count = U16(node, 2);
        int depth = U16(node, 6);
        if (U16(node, 0) != 0xf30a || depth >= depthAbove || count > (node.Length / entrySize) - 1)
            return false;
        for (int i = 1; i <= count; i++)
        {
            ReadOnlySpan<byte> entry = node.Slice(i * entrySize, entrySize);
            if (!layout.MayContinue)
                return true; // what is allocated behind the file's end
            if (depth > 0)
            {
                // One that adds nothing is damage, and many of them would be without end.
                long before = layout.Next;
                long below = U32(entry, 4) | ((long)U16(entry, 8) << 32);
                if (Block(below) is not { } next || !AddExtents(layout, next, depth) || layout.Next == before)
                    return false;
                continue;
            }

            const int unwritten = 0x8000; // from here on: zeroes, so many fewer blocks
            int blocks = U16(entry, 4);
            if (blocks == 0)
                return false;
            bool isWritten = blocks <= unwritten;
            long start = U32(entry, 8) | ((long)U16(entry, 6) << 32);
            if (!layout.TryAdd(U32(entry, 0), isWritten ? start : 0, isWritten ? blocks : blocks - unwritten))
                return false;
        }

        return true;
    }

    /// <summary>Twelve blocks, then those of a block of numbers, of one of such blocks, and of one of those.</summary>
    private bool AddBlocks(Layout layout, ReadOnlySpan<byte> numbers)
    {
        const int direct = 12, levels = 3;
        for (int i = 0; i < direct + levels; i++)
        {
            if (!AddBlocks(layout, U32(numbers, i * sizeof(uint)), Math.Max(0, i - direct + 1)))
                return false;
        }

        return true;
    }

    private bool AddBlocks(Layout layout, uint number, int level)
    {
        if (!layout.MayContinue)
            return true;
        int numbers = _blockSize / sizeof(uint);
        if (level == 0 || number == 0)
        {
            long count = 1;
            for (int i = 0; i < level; i++)
                count *= numbers;
            return layout.TryAdd(layout.Next, number, count);
        }

        if (Block(number) is not { } block)
            return false;
        for (int i = 0; i < numbers; i++)
        {
            if (!AddBlocks(layout, U32(block, i * sizeof(uint)), level - 1))
                return false;
        }

        return true;
    }

    private byte[]? Block(long number) =>
        number > 0 && number <= _image.Length / _blockSize ? _image.Read(number * _blockSize, _blockSize) : null;

    private static bool IsSuperblock(ReadOnlySpan<byte> super)
    {
        const uint mostShift = 6; // of 1 KiB: 64 KiB
        return U16(super, 56) == Magic && U32(super, 24) <= mostShift && U32(super, 0) > 0;
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    /// <param name="Number">Its number.</param>
    /// <param name="Mode">What it is.</param>
    /// <param name="Size">Bytes.</param>
    /// <param name="Flags">Of it.</param>
    /// <param name="Blocks">Its block numbers, the root of its extents, or a short link's target.</param>
    private sealed record Inode(uint Number, ushort Mode, long Size, uint Flags, byte[] Blocks)
    {
        public bool IsDirectory => (Mode & 0xf000) == 0x4000;

        public bool IsFile => (Mode & 0xf000) == 0x8000;

        public bool IsLink => (Mode & 0xf000) == 0xa000;

        public bool HasExtents => (Flags & 0x8_0000) != 0;
    }

    /// <summary>A file's blocks as parts of the image, in order, neighbours joined; what there is none of is zeroes.</summary>
    private sealed class Layout(MediaView image, int blockSize, long blocks)
    {
        private readonly List<MediaView> _parts = [];
        private long _start; // of the run that may still grow, in the image; 0 for zeroes
        private long _length;

        /// <summary>The first block of the file that is not there yet.</summary>
        public long Next { get; private set; }

        public bool MayContinue => Next < blocks;

        /// <summary>Adds blocks from one of the image's on; false where they are before others, or not in it.</summary>
        public bool TryAdd(long logical, long start, long count)
        {
            if (logical < Next)
                return false;
            if (logical > Next && !Append(0, Math.Min(logical, blocks) - Next))
                return false;
            return logical >= blocks || Append(start, Math.Min(count, blocks - logical));
        }

        /// <summary>All parts; null where some are not in the image.</summary>
        public List<MediaView>? End() => Append(0, blocks - Next) && Flush() ? _parts : null;

        private bool Append(long start, long count)
        {
            if (count <= 0)
                return true;
            Next += count;
            bool grows = _length > 0 && (start == 0 ? _start == 0 : _start != 0 && _start + _length == start);
            if (!grows)
            {
                if (!Flush())
                    return false;
                (_start, _length) = (start, 0);
            }

            _length += count;
            return true;
        }

        private bool Flush()
        {
            if (_length == 0)
                return true;
            if (_start > image.Length / blockSize)
                return false;
            MediaView? part = _start == 0 ? new ZeroView(_length * blockSize) : image.Part(_start * blockSize, _length * blockSize);
            if (part is null)
                return false;
            _parts.Add(part);
            _length = 0;
            return true;
        }
    }

    /// <summary>A hole in a file.</summary>
    private sealed class ZeroView(long length) : MediaView
    {
        public override long Length => length;

        public override bool TryRead(long offset, Span<byte> bytes)
        {
            if (!Holds(offset, bytes.Length))
                return false;
            bytes.Clear();
            return true;
        }
    }
}
