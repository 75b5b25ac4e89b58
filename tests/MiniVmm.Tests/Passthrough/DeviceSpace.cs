using System.Buffers.Binary;
using MiniVmm.Passthrough;

namespace MiniVmm.Tests.Passthrough;

/// <summary>A made-up configuration space, with capabilities where a test puts them; notes what is written to it.</summary>
internal sealed class DeviceSpace : GuestConfiguration.IDevice
{
    private int _last = 0x34;
    private int _lastExtended;

    public DeviceSpace(int size = 256)
    {
        Bytes = new byte[size];
        BinaryPrimitives.WriteUInt16LittleEndian(Bytes, 0x1b36);
        BinaryPrimitives.WriteUInt16LittleEndian(Bytes.AsSpan(2), 0x0010);
        BinaryPrimitives.WriteUInt32LittleEndian(Bytes.AsSpan(8), 0x01080202);
    }

    public byte[] Bytes { get; }

    /// <summary>"4c: 01020304" for each write.</summary>
    public List<string> Written { get; } = [];

    public ConfigurationMap Map => new(Bytes);

    /// <summary>Puts a capability at the end of the list.</summary>
    public DeviceSpace Add(int at, byte id, params byte[] body)
    {
        Bytes[6] |= 0x10;
        Bytes[_last] = (byte)at;
        Bytes[at] = id;
        body.CopyTo(Bytes, at + 2);
        _last = at + 1;
        return this;
    }

    public DeviceSpace AddExtended(int at, ushort id, byte version = 1)
    {
        if (_lastExtended != 0)
            Bytes.AsSpan()[(_lastExtended + 2)..][1] = (byte)(at >> 4);
        BinaryPrimitives.WriteUInt32LittleEndian(Bytes.AsSpan(at), id | ((uint)version << 16));
        _lastExtended = at;
        return this;
    }

    /// <summary>MSI-X with that many vectors; offsets with the BAR in their low bits.</summary>
    public DeviceSpace AddMsix(int at, int vectors, uint table, uint pending)
    {
        byte[] body = new byte[10];
        BinaryPrimitives.WriteUInt16LittleEndian(body, (ushort)(0x8000 | (vectors - 1)));
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(2), table);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(6), pending);
        return Add(at, 0x11, body);
    }

    public void Read(int register, Span<byte> data) => Bytes.AsSpan(register, data.Length).CopyTo(data);

    public void Write(int register, ReadOnlySpan<byte> data) => Written.Add($"{register:x}: {Convert.ToHexStringLower(data)}");
}
