using System.Buffers.Binary;
using System.Text;
using MiniVmm.Virtio.Share;

namespace MiniVmm.Tests.Virtio.Share;

/// <summary>Asks a server as Linux does, a request at a time.</summary>
internal sealed class NineClient(NineServer server)
{
    private const ushort Tag = 0x1234;

    /// <summary>The answer's bytes behind its header; fails where it is an error.</summary>
    public byte[] Ask(NineMessage kind, params object[] parts)
    {
        (int error, byte[] answer) = Try(kind, parts);
        Assert.Equal(0, error);
        return answer;
    }

    /// <summary>The errno of an answer that is an error.</summary>
    public int Error(NineMessage kind, params object[] parts)
    {
        (int error, _) = Try(kind, parts);
        Assert.NotEqual(0, error);
        return error;
    }

    public (int Error, byte[] Answer) Try(NineMessage kind, params object[] parts)
    {
        byte[] request = Request(kind, parts);
        byte[] room = new byte[64 * 1024];
        int length = server.Answer(request, room);
        Assert.Equal(length, BinaryPrimitives.ReadInt32LittleEndian(room));
        Assert.Equal(Tag, BinaryPrimitives.ReadUInt16LittleEndian(room.AsSpan(5)));
        byte[] answer = room[7..length];
        if (room[4] == (byte)NineMessage.Rlerror)
            return (BinaryPrimitives.ReadInt32LittleEndian(answer), []);
        Assert.Equal((byte)kind + 1, room[4]);
        return (0, answer);
    }

    /// <summary>Agrees upon the protocol, and makes the fid 0 of the folder itself.</summary>
    public void Begin()
    {
        Ask(NineMessage.Tversion, 64u * 1024, "9P2000.L");
        Ask(NineMessage.Tattach, 0u, uint.MaxValue, "root", "", 0u);
    }

    /// <summary>Makes a fid of a path below the folder.</summary>
    public byte[] Walk(uint fid, params string[] names) => Ask(NineMessage.Twalk, [0u, fid, (ushort)names.Length, .. names]);

    public byte[] Read(uint fid, ulong offset, uint count) => Ask(NineMessage.Tread, fid, offset, count)[4..];

    /// <summary>Names of what an open folder holds.</summary>
    public List<string> List(uint fid, uint count)
    {
        List<string> names = [];
        for (ulong offset = 0; ;)
        {
            ReadOnlySpan<byte> rest = Ask(NineMessage.Treaddir, fid, offset, count).AsSpan(4);
            if (rest.IsEmpty)
                return names;
            while (!rest.IsEmpty)
            {
                offset = BinaryPrimitives.ReadUInt64LittleEndian(rest[13..]);
                int length = BinaryPrimitives.ReadUInt16LittleEndian(rest[22..]);
                names.Add(Encoding.UTF8.GetString(rest.Slice(24, length)));
                rest = rest[(24 + length)..];
            }
        }
    }

    public static byte[] Request(NineMessage kind, params object[] parts)
    {
        List<byte> bytes = [0, 0, 0, 0, (byte)kind, Tag & 0xff, Tag >> 8];
        foreach (object part in parts)
        {
            bytes.AddRange(part switch
            {
                byte value => [value],
                ushort value => BitConverter.GetBytes(value),
                uint value => BitConverter.GetBytes(value),
                ulong value => BitConverter.GetBytes(value),
                byte[] value => value,
                string value => [(byte)Encoding.UTF8.GetByteCount(value), (byte)(Encoding.UTF8.GetByteCount(value) >> 8), .. Encoding.UTF8.GetBytes(value)],
                _ => throw new ArgumentException($"{part} is no part of a message", nameof(parts)),
            });
        }

        byte[] request = [.. bytes];
        BinaryPrimitives.WriteInt32LittleEndian(request, request.Length);
        return request;
    }
}
