using MiniVmm.Host;
using MiniVmm.Sharing;
using Stat = MiniVmm.Host.FileCalls.statx_buffer;

namespace MiniVmm.Virtio.Share;

/// <summary>Open files: reading, writing, what a folder holds, locks.</summary>
internal sealed unsafe partial class NineServer
{
    private const int EntryHead = 13 + sizeof(ulong) + sizeof(byte) + sizeof(ushort); // qid, offset, kind, the name's length
    private const byte LockSuccess = 0;
    private const byte Unlocked = 2; // F_UNLCK
    private readonly byte[] _entries = new byte[32 * 1024];

    private int Open(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        uint flags = reader.Dword();
        if (reader.IsShort || fid.IsOpen)
            return Errno.EINVAL;
        int error = folder.OpenFile(fid.Node, flags, out int file, out Stat status);
        return error != 0 ? error : Opened(fid, file, status, ref writer);
    }

    private int Create(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        string name = reader.Text();
        uint flags = reader.Dword();
        uint mode = reader.Dword();
        _ = reader.Dword(); // the group: files belong to this process' user
        if (reader.IsShort || fid.IsOpen)
            return Errno.EINVAL;
        int error = folder.CreateFile(fid.Node, name, flags, mode, out int file, out Stat status);
        if (error != 0)
        {
            if (file >= 0)
                _ = FileCalls.Close(file);
            return error;
        }

        if (file < firstReservedFile)
            fid.Go(fid.Node.Child(name));
        return Opened(fid, file, status, ref writer);
    }

    private int Opened(NineFid fid, int file, in Stat status, ref NineWriter writer)
    {
        if (file >= firstReservedFile)
        {
            _ = FileCalls.Close(file);
            return Errno.EMFILE;
        }

        fid.Open(file, (status.stx_mode & FileCalls.S_IFMT) == FileCalls.S_IFDIR);
        WriteQid(ref writer, status);
        writer.Dword(0); // as much at a time as a message holds
        return 0;
    }

    private int Read(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid) || !fid.IsOpen)
            return Errno.EBADF;
        ulong offset = reader.Qword();
        uint count = reader.Dword();
        if (reader.IsShort || offset > long.MaxValue)
            return Errno.EINVAL;
        if (fid.IsFolder)
            return Errno.EISDIR;
        Span<byte> length = writer.Reserve(sizeof(uint));
        int room = (int)Math.Min(count, (uint)writer.Left);
        Span<byte> data = writer.Reserve(room);
        nint got;
        fixed (byte* bytes = data)
        {
            IoVector piece = new(bytes, (ulong)room);
            got = FileCalls.PReadV(fid.File, &piece, 1, (long)offset);
        }

        if (got < 0)
            return LastError;
        writer.Return(room - (int)got);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)got);
        return 0;
    }

    private int Write(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid) || !fid.IsOpen)
            return Errno.EBADF;
        ulong offset = reader.Qword();
        ReadOnlySpan<byte> data = reader.Take(reader.Dword());
        if (reader.IsShort || offset > long.MaxValue)
            return Errno.EINVAL;
        if (folder.IsReadOnly)
            return Errno.EROFS;
        nint written;
        fixed (byte* bytes = data)
        {
            IoVector piece = new(bytes, (ulong)data.Length);
            written = FileCalls.PWriteV(fid.File, &piece, 1, (long)offset);
        }

        if (written < 0)
            return LastError;
        writer.Dword((uint)written);
        return 0;
    }

    /// <summary>What a folder holds, from an offset on that an earlier answer gave.</summary>
    private int ReadFolder(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid) || !fid.IsOpen)
            return Errno.EBADF;
        ulong offset = reader.Qword();
        uint count = reader.Dword();
        if (reader.IsShort || offset > long.MaxValue)
            return Errno.EINVAL;
        if (!fid.IsFolder)
            return Errno.ENOTDIR;
        if (FileCalls.LSeek(fid.File, (long)offset, 0) < 0 || SharedFolder.Status(fid.File, out Stat itself) != 0)
            return LastError;
        Span<byte> length = writer.Reserve(sizeof(uint));
        int room = (int)Math.Min(count, (uint)writer.Left);
        int used = 0;
        bool isFull = false;
        fixed (byte* entries = _entries)
        {
            while (!isFull)
            {
                nint got = FolderCalls.GetDents64(fid.File, entries, (nuint)_entries.Length);
                if (got < 0)
                    return LastError;
                if (got == 0)
                    break;
                for (nint at = 0; at < got && !isFull;)
                {
                    linux_dirent64* entry = (linux_dirent64*)(entries + at);
                    at += entry->d_reclen;
                    ReadOnlySpan<byte> name = MemoryExtensions.AsSpan(_entries);
                    name = name[(int)(entry->d_name - entries)..(int)at];
                    name = name[..name.IndexOf((byte)0)];
                    isFull = used + EntryHead + name.Length > room;
                    if (isFull)
                        break;
                    used += EntryHead + name.Length;
                    Entry(entry, name, itself, ref writer);
                }
            }
        }

        if (used == 0 && isFull)
            return Errno.EINVAL; // not even one
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)used);
        return 0;
    }

    private static void Entry(linux_dirent64* entry, ReadOnlySpan<byte> name, in Stat folder, ref NineWriter writer)
    {
        Stat status = folder; // its file system, which is what is known of the entry's
        status.stx_ino = entry->d_ino;
        status.stx_mtime = default;
        status.stx_size = 0;
        status.stx_mode = (ushort)(entry->d_type << 12); // as in IFTODT(3)
        WriteQid(ref writer, status);
        writer.Qword((ulong)entry->d_off);
        writer.Byte(entry->d_type);
        writer.Word((ushort)name.Length);
        name.CopyTo(writer.Reserve(name.Length));
    }

    private int Sync(ref NineReader reader)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid) || !fid.IsOpen)
            return Errno.EBADF;
        bool isDataAlone = reader.Dword() != 0;
        return (isDataAlone ? FileCalls.FDataSync(fid.File) : FolderCalls.FSync(fid.File)) == 0 ? 0 : LastError;
    }

    /// <summary>Locks are the guest's own: its kernel keeps them, and the host's programs see none.</summary>
    private int Lock(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out _))
            return Errno.EBADF;
        writer.Byte(LockSuccess);
        return 0;
    }

    private int GetLock(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out _))
            return Errno.EBADF;
        _ = reader.Byte();
        ulong start = reader.Qword();
        ulong length = reader.Qword();
        uint process = reader.Dword();
        string client = reader.Text();
        if (reader.IsShort)
            return Errno.EINVAL;
        writer.Byte(Unlocked);
        writer.Qword(start);
        writer.Qword(length);
        writer.Dword(process);
        writer.Text(client);
        return 0;
    }

    /// <summary>getdents64(2); the name is as long as it is.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential, Pack = 1)]
    private struct linux_dirent64
    {
        public ulong d_ino;
        public long d_off;
        public ushort d_reclen;
        public byte d_type;
        public fixed byte d_name[1];
    }
}
