using MiniVmm.Host;
using MiniVmm.Sharing;
using Stat = MiniVmm.Host.FileCalls.statx_buffer;

namespace MiniVmm.Virtio.Share;

/// <summary>Names and attributes.</summary>
internal sealed unsafe partial class NineServer
{
    private const ulong BasicAttributes = 0x7ff; // P9_STATS_BASIC
    private const uint RemoveFolder = FolderCalls.AT_REMOVEDIR;

    /// <summary>Which attributes a Tsetattr has (P9_ATTR_…).</summary>
    [Flags]
    private enum Attributes : uint
    {
        Mode = 1 << 0,
        User = 1 << 1,
        Group = 1 << 2,
        Size = 1 << 3,
        Accessed = 1 << 4,
        Modified = 1 << 5,
        AccessedSet = 1 << 7,
        ModifiedSet = 1 << 8,
    }

    private int GetAttributes(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        int error = fid.IsOpen ? SharedFolder.Status(fid.File, out Stat status) : folder.Look(fid.Node, out status);
        if (error != 0)
            return error;
        writer.Qword(BasicAttributes);
        WriteQid(ref writer, status);
        writer.Dword(status.stx_mode);
        writer.Dword(status.stx_uid);
        writer.Dword(status.stx_gid);
        writer.Qword(status.stx_nlink);
        writer.Qword(Device(status));
        writer.Qword(status.stx_size);
        writer.Qword(status.stx_blksize);
        writer.Qword(status.stx_blocks);
        Time(status.stx_atime, ref writer);
        Time(status.stx_mtime, ref writer);
        Time(status.stx_ctime, ref writer);
        Time(default, ref writer); // when it was made, which is not among the basic ones
        writer.Qword(0);
        writer.Qword(0);
        return 0;
    }

    private int SetAttributes(ref NineReader reader)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        Attributes which = (Attributes)reader.Dword();
        uint mode = reader.Dword();
        uint user = reader.Dword();
        uint group = reader.Dword();
        ulong size = reader.Qword();
        FolderCalls.timespec_x86_64 accessed = Time(ref reader, which, Attributes.Accessed, Attributes.AccessedSet);
        FolderCalls.timespec_x86_64 modified = Time(ref reader, which, Attributes.Modified, Attributes.ModifiedSet);
        if (reader.IsShort)
            return Errno.EINVAL;
        FileChange change = new()
        {
            Mode = which.HasFlag(Attributes.Mode) ? mode : null,
            User = which.HasFlag(Attributes.User) ? user : uint.MaxValue,
            Group = which.HasFlag(Attributes.Group) ? group : uint.MaxValue,
            Size = which.HasFlag(Attributes.Size) ? size : null,
            Accessed = accessed,
            Modified = modified,
        };
        return fid.IsOpen ? folder.Change(fid.File, change) : folder.Change(fid.Node, change);
    }

    private static FolderCalls.timespec_x86_64 Time(ref NineReader reader, Attributes which, Attributes given, Attributes set)
    {
        long seconds = (long)reader.Qword();
        long nanoseconds = (long)reader.Qword();
        return (which.HasFlag(given), which.HasFlag(set)) switch
        {
            (false, _) => new() { tv_nsec = FolderCalls.UTIME_OMIT },
            (true, false) => new() { tv_nsec = FolderCalls.UTIME_NOW },
            _ => new() { tv_sec = seconds, tv_nsec = nanoseconds },
        };
    }

    private static void Time(FileCalls.statx_timestamp time, ref NineWriter writer)
    {
        writer.Qword((ulong)time.tv_sec);
        writer.Qword(time.tv_nsec);
    }

    /// <summary>A device's numbers as Linux' dev_t has them.</summary>
    private static ulong Device(in Stat status) =>
        ((ulong)(status.stx_rdev_major & 0xfff) << 8) | (status.stx_rdev_minor & 0xff) | ((ulong)(status.stx_rdev_minor & ~0xffu) << 12);

    private int FileSystem(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        int error = fid.IsOpen
            ? SharedFolder.FileSystem(fid.File, out FolderCalls.statfs_x86_64 status)
            : folder.FileSystem(fid.Node, out status);
        if (error != 0)
            return error;
        writer.Dword((uint)status.f_type);
        writer.Dword((uint)status.f_bsize);
        writer.Qword(status.f_blocks);
        writer.Qword(status.f_bfree);
        writer.Qword(status.f_bavail);
        writer.Qword(status.f_files);
        writer.Qword(status.f_ffree);
        writer.Qword(status.f_fsid);
        writer.Dword((uint)status.f_namelen);
        return 0;
    }

    private int ReadLink(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        int error = folder.ReadLink(fid.Node, out string target);
        if (error == 0)
            writer.Text(target);
        return error;
    }

    /// <summary>Tmkdir and Tmknod: a device's numbers, which come behind a node's permissions, are not looked at, since none is made.</summary>
    private int Make(bool isFolder, ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        string name = reader.Text();
        uint mode = reader.Dword();
        if (reader.IsShort)
            return Errno.EINVAL;
        int error = isFolder ? folder.MakeFolder(fid.Node, name, mode) : folder.MakeNode(fid.Node, name, mode);
        return error != 0 ? error : WriteMade(fid, name, ref writer);
    }

    private int MakeLink(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        string name = reader.Text();
        string target = reader.Text();
        if (reader.IsShort)
            return Errno.EINVAL;
        int error = folder.MakeLink(fid.Node, name, target);
        return error != 0 ? error : WriteMade(fid, name, ref writer);
    }

    /// <summary>Tells of what has just been made.</summary>
    private int WriteMade(NineFid parent, string name, ref NineWriter writer)
    {
        SharedNode made = parent.Node.Child(name);
        int error = folder.Look(made, out Stat status);
        made.Release();
        return error != 0 ? error : WriteQid(ref writer, status);
    }

    private int AddName(ref NineReader reader)
    {
        if (!TryFid(reader.Dword(), out NineFid? parent) || !TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        string name = reader.Text();
        return reader.IsShort ? Errno.EINVAL : folder.AddName(fid.Node, parent.Node, name);
    }

    private int Rename(ref NineReader reader)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid) || !TryFid(reader.Dword(), out NineFid? parent))
            return Errno.EBADF;
        string name = reader.Text();
        if (reader.IsShort)
            return Errno.EINVAL;
        return fid.Node.Parent is { } above ? folder.Rename(above, fid.Node.Name, parent.Node, name) : Errno.EBUSY;
    }

    private int RenameAt(ref NineReader reader)
    {
        if (!TryFid(reader.Dword(), out NineFid? from))
            return Errno.EBADF;
        string name = reader.Text();
        if (!TryFid(reader.Dword(), out NineFid? to))
            return Errno.EBADF;
        string newName = reader.Text();
        return reader.IsShort ? Errno.EINVAL : folder.Rename(from.Node, name, to.Node, newName);
    }

    private int Unlink(ref NineReader reader)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        string name = reader.Text();
        uint flags = reader.Dword();
        return reader.IsShort ? Errno.EINVAL : folder.Remove(fid.Node, name, (flags & RemoveFolder) != 0);
    }

    /// <summary>Removes what a fid stands for; the fid is gone in any case.</summary>
    private int Remove(ref NineReader reader)
    {
        uint number = reader.Dword();
        if (!_fids.Remove(number, out NineFid? fid))
            return Errno.EBADF;
        int error = fid.Node.Parent is { } parent
            ? folder.Look(fid.Node, out Stat status) is var problem && problem != 0
                ? problem
                : folder.Remove(parent, fid.Node.Name, (status.stx_mode & FileCalls.S_IFMT) == FileCalls.S_IFDIR)
            : Errno.EBUSY;
        fid.Dispose();
        return error;
    }
}
