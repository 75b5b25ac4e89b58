using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace MiniVmm.Devices;

/// <summary>Gathers the states of devices: little-endian fields without padding, in records with a header and a checksum.</summary>
public sealed class StateWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>A device's state by itself.</summary>
    public static byte[] Save(ISuspendable device)
    {
        StateWriter writer = new();
        writer.WriteRecord(device);
        return writer.ToArray();
    }

    /// <summary>All that was written so far.</summary>
    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();

    /// <summary>A device's state in a record of its own.</summary>
    public void WriteRecord(ISuspendable device)
    {
        ArgumentNullException.ThrowIfNull(device);
        StateWriter fields = new();
        device.Save(fields);
        ReadOnlySpan<byte> payload = fields._bytes.WrittenSpan;

        StateWriter record = new();
        record.WriteUInt32(StateRecord.Magic);
        record.WriteUInt16(device.StateVersion);
        record.WriteByte((byte)device.StateName.Length);
        record._bytes.Write(Encoding.ASCII.GetBytes(device.StateName));
        record.WriteBytes(payload);
        record.WriteUInt32(StateRecord.Checksum(record._bytes.WrittenSpan));
        _bytes.Write(record._bytes.WrittenSpan);
    }

    public void WriteByte(byte value) => _bytes.Write([value]);

    /// <summary>A byte: 1 for true.</summary>
    public void WriteBool(bool value) => WriteByte(value ? (byte)1 : (byte)0);

    public void WriteUInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.GetSpan(sizeof(ushort)), value);
        _bytes.Advance(sizeof(ushort));
    }

    public void WriteUInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.GetSpan(sizeof(uint)), value);
        _bytes.Advance(sizeof(uint));
    }

    public void WriteUInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.GetSpan(sizeof(ulong)), value);
        _bytes.Advance(sizeof(ulong));
    }

    public void WriteInt64(long value) => WriteUInt64((ulong)value);

    /// <summary>A length of 4 bytes, and so many.</summary>
    public void WriteBytes(ReadOnlySpan<byte> bytes)
    {
        WriteUInt32((uint)bytes.Length);
        _bytes.Write(bytes);
    }

    /// <summary>A structure of the kernel's ABI, which is little-endian on x86, behind its length.</summary>
    public void WriteStructure<T>(in T structure)
        where T : unmanaged => WriteBytes(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in structure)));
}

/// <summary>What both ends know of a record: docs/state-format.md.</summary>
internal static class StateRecord
{
    /// <summary>"MVDS".</summary>
    public const uint Magic = 0x5344_564d;

    /// <summary>Magic, version, and the length of the name.</summary>
    public const int HeaderLength = 7;

    /// <summary>CRC-32C (RFC 3720, appendix B.4).</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
            crc = System.Numerics.BitOperations.Crc32C(crc, value);
        return ~crc;
    }
}
