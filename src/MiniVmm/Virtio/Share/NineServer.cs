using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Sharing;
using Stat = MiniVmm.Host.FileCalls.statx_buffer;

namespace MiniVmm.Virtio.Share;

/// <summary>
/// A server of 9P2000.L, the protocol by which Linux mounts what another machine has: requests about fids, the guest's numbers for files.
/// One request at a time, each answered before the next is looked at.
/// </summary>
/// <param name="folder">What is served; disposed of with it.</param>
/// <param name="mostNames">Fids at most, and names below the folder that they hold.</param>
/// <param name="firstReservedFile">The lowest descriptor of this process that is not for the guest's files.</param>
internal sealed unsafe partial class NineServer(
    SharedFolder folder, int mostNames = NineServer.MostNames, int firstReservedFile = int.MaxValue) : IDisposable
{
    /// <summary>Bytes of a message at most: more than Linux' driver for virtio wants (net/9p/trans_virtio.c).</summary>
    public const int LongestMessage = 512 * 1024;

    /// <summary>Bytes of a message at least, so that every answer but data fits; Linux' least is as much.</summary>
    public const int ShortestMessage = 4096;

    /// <summary>
    /// Fids and names at most: the guest's memory of names is not to become the host's without a limit. A guest that caches
    /// (cache=loose) has one for each file that it has seen, of some 250 bytes here.
    /// </summary>
    public const int MostNames = 1 << 20;

    /// <summary>Before a read's data: the header, and how many bytes there are.</summary>
    private const int ReadHeader = NineWriter.HeaderLength + sizeof(uint);

    private const int MostSteps = 16; // in one walk (P9_MAXWELEM)
    private const uint NoFid = uint.MaxValue;
    private readonly Dictionary<uint, NineFid> _fids = [];

    /// <summary>Bytes that a message may have, as was agreed upon; 0 before.</summary>
    public uint MessageSize { get; private set; }

    /// <summary>Answers a request.</summary>
    /// <param name="request">From its length on.</param>
    /// <param name="answer">Room for the answer.</param>
    /// <returns>Bytes of the answer; 0 where there is not even room for an error, or no header to answer to.</returns>
    public int Answer(ReadOnlySpan<byte> request, Span<byte> answer)
    {
        if (request.Length < NineWriter.HeaderLength || answer.Length < NineWriter.HeaderLength + sizeof(uint))
            return 0;
        NineReader header = new(request);
        uint length = header.Dword();
        NineMessage kind = (NineMessage)header.Byte();
        ushort tag = header.Word();
        if (MessageSize != 0 && answer.Length > MessageSize)
            answer = answer[..(int)MessageSize];

        NineWriter writer = new(answer);
        int error = Errno.EPROTO;
        if (length >= NineWriter.HeaderLength && length <= (uint)request.Length && (MessageSize != 0 || kind == NineMessage.Tversion))
        {
            NineReader reader = new(request[NineWriter.HeaderLength..(int)length]);
            error = Serve(kind, ref reader, ref writer);
            if (error == 0 && writer.IsFull)
                error = Errno.EPROTO;
        }

        if (error == 0)
        {
            writer.End((byte)(kind + 1), tag);
            return writer.Length;
        }

        writer.Clear();
        writer.Dword((uint)error);
        writer.End((byte)NineMessage.Rlerror, tag);
        return writer.Length;
    }

    /// <summary>Forgets all fids, and what was agreed upon.</summary>
    public void Reset()
    {
        foreach (NineFid fid in _fids.Values)
            fid.Dispose();
        _fids.Clear();
        MessageSize = 0;
    }

    public void Dispose()
    {
        Reset();
        folder.Dispose();
    }

    private int Serve(NineMessage kind, ref NineReader reader, ref NineWriter writer) => kind switch
    {
        NineMessage.Tversion => Version(ref reader, ref writer),
        NineMessage.Tattach => Attach(ref reader, ref writer),
        NineMessage.Tflush => 0, // what was asked before is answered by now
        NineMessage.Twalk => Walk(ref reader, ref writer),
        NineMessage.Tclunk => Clunk(ref reader),
        NineMessage.Tgetattr => GetAttributes(ref reader, ref writer),
        NineMessage.Tsetattr => SetAttributes(ref reader),
        NineMessage.Tstatfs => FileSystem(ref reader, ref writer),
        NineMessage.Treadlink => ReadLink(ref reader, ref writer),
        NineMessage.Tlopen => Open(ref reader, ref writer),
        NineMessage.Tlcreate => Create(ref reader, ref writer),
        NineMessage.Tread => Read(ref reader, ref writer),
        NineMessage.Twrite => Write(ref reader, ref writer),
        NineMessage.Treaddir => ReadFolder(ref reader, ref writer),
        NineMessage.Tfsync => Sync(ref reader),
        NineMessage.Tlock => Lock(ref reader, ref writer),
        NineMessage.Tgetlock => GetLock(ref reader, ref writer),
        NineMessage.Tmkdir => Make(isFolder: true, ref reader, ref writer),
        NineMessage.Tmknod => Make(isFolder: false, ref reader, ref writer),
        NineMessage.Tsymlink => MakeLink(ref reader, ref writer),
        NineMessage.Tlink => AddName(ref reader),
        NineMessage.Trename => Rename(ref reader),
        NineMessage.Trenameat => RenameAt(ref reader),
        NineMessage.Tunlinkat => Unlink(ref reader),
        NineMessage.Tremove => Remove(ref reader),
        _ => Errno.EOPNOTSUPP, // extended attributes and Tauth among them
    };

    private int Version(ref NineReader reader, ref NineWriter writer)
    {
        uint size = reader.Dword();
        string version = reader.Text();
        if (reader.IsShort || size < ShortestMessage)
            return Errno.EINVAL;
        Reset();
        bool isKnown = version == "9P2000.L";
        uint agreed = Math.Min(size, LongestMessage);
        MessageSize = isKnown ? agreed : 0;
        writer.Dword(agreed);
        writer.Text(isKnown ? version : "unknown");
        return 0;
    }

    private int Attach(ref NineReader reader, ref NineWriter writer)
    {
        uint number = reader.Dword();
        if (reader.IsShort)
            return Errno.EINVAL;
        int error = MayAdd(number);
        if (error == 0)
            error = folder.Look(folder.Root, out Stat status) is var problem && problem == 0 ? WriteQid(ref writer, status) : problem;
        if (error != 0)
            return error;
        folder.Root.Hold();
        _fids.Add(number, new NineFid(folder.Root));
        return 0;
    }

    private int Walk(ref NineReader reader, ref NineWriter writer)
    {
        if (!TryFid(reader.Dword(), out NineFid? fid))
            return Errno.EBADF;
        uint target = reader.Dword();
        int names = reader.Word();
        if (reader.IsShort || names > MostSteps || fid.IsOpen && names > 0)
            return Errno.EINVAL;
        bool stays = _fids.TryGetValue(target, out NineFid? other) && ReferenceEquals(other, fid);
        if (!stays && MayAdd(target) is var refused && refused != 0)
            return refused;

        writer.Word(0);
        SharedNode node = fid.Node;
        node.Hold();
        int walked = 0;
        int error = 0;
        for (; walked < names; walked++)
        {
            string name = reader.Text();
            error = reader.IsShort ? Errno.EINVAL : Step(node, name, out SharedNode? next, out Stat status) is var problem && problem != 0
                ? problem
                : Go(ref node, next!, ref writer, status);
            if (error != 0)
                break;
        }

        if (error != 0 && walked == 0 || reader.IsShort)
        {
            node.Release();
            return error;
        }

        writer.Patch((ushort)walked);
        if (walked < names)
            node.Release(); // those names that were there are told; the fid is not made
        else if (stays)
            fid.Go(node);
        else
            _fids.Add(target, new NineFid(node));
        return 0;
    }

    private static int Go(ref SharedNode node, SharedNode next, ref NineWriter writer, in Stat status)
    {
        node.Release();
        node = next;
        return WriteQid(ref writer, status);
    }

    /// <summary>The next file of a walk, held.</summary>
    private int Step(SharedNode node, string name, out SharedNode? next, out Stat status)
    {
        next = null;
        if (name == "..")
        {
            next = node.Parent ?? node; // the shared folder is its own parent
            next.Hold();
        }
        else if (SharedFolder.IsName(name))
        {
            if (node.Names >= mostNames && !node.HasChild(name))
            {
                status = default;
                return Errno.ENFILE;
            }

            next = node.Child(name);
        }
        else
        {
            status = default;
            return Errno.ENOENT;
        }

        int error = folder.Look(next, out status);
        if (error != 0)
            next.Release();
        return error;
    }

    private int Clunk(ref NineReader reader)
    {
        uint number = reader.Dword();
        if (!_fids.Remove(number, out NineFid? fid))
            return Errno.EBADF;
        fid.Dispose();
        return 0;
    }

    private int MayAdd(uint number) =>
        number == NoFid || _fids.ContainsKey(number) ? Errno.EBADF : _fids.Count >= mostNames ? Errno.ENFILE : 0;

    private bool TryFid(uint number, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out NineFid? fid) => _fids.TryGetValue(number, out fid);

    /// <summary>What tells files apart: kind, a version that grows with changes, and a number.</summary>
    private static int WriteQid(ref NineWriter writer, in Stat status)
    {
        writer.Byte((status.stx_mode & FileCalls.S_IFMT) switch
        {
            FileCalls.S_IFDIR => 0x80,
            FolderCalls.S_IFLNK => 0x02,
            _ => 0,
        });
        writer.Dword((uint)status.stx_mtime.tv_sec ^ status.stx_mtime.tv_nsec ^ (uint)(status.stx_size << 8));
        writer.Qword(Number(status));
        return 0;
    }

    /// <summary>The inode's number, made another where other file systems are mounted below the folder.</summary>
    private static ulong Number(in Stat status) =>
        status.stx_ino ^ ((ulong)status.stx_dev_major << 52) ^ ((ulong)status.stx_dev_minor << 40);

    private static int LastError => Marshal.GetLastPInvokeError();
}
