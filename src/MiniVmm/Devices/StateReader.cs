using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace MiniVmm.Devices;

/// <summary>
/// Reads what <see cref="StateWriter"/> wrote, or what a file says it wrote: nothing is believed, and each error is a
/// <see cref="StateException"/>.
/// </summary>
public sealed class StateReader
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly string? _device; // null outside of records
    private int _at;

    /// <param name="bytes">Records, one after the other.</param>
    public StateReader(ReadOnlyMemory<byte> bytes)
        : this(bytes, null, 0)
    {
    }

    private StateReader(ReadOnlyMemory<byte> bytes, string? device, ushort version)
    {
        _bytes = bytes;
        _device = device;
        Version = version;
    }

    /// <summary>Of the record's fields.</summary>
    public ushort Version { get; }

    private int Left => _bytes.Length - _at;

    private string Subject => _device is null ? "saved state" : $"saved state of {_device}";

    /// <summary>Gives a device its state, which is all that there is.</summary>
    /// <exception cref="StateException">It cannot have it.</exception>
    public static void Restore(ISuspendable device, ReadOnlyMemory<byte> state)
    {
        StateReader reader = new(state);
        reader.ReadRecord(device);
        reader.End();
    }

    /// <summary>Gives a device the next record.</summary>
    /// <exception cref="StateException">It is not the device's, or it is damaged.</exception>
    public void ReadRecord(ISuspendable device)
    {
        ArgumentNullException.ThrowIfNull(device);
        int start = _at;
        uint magic = ReadUInt32();
        if (magic != StateRecord.Magic)
            throw Damaged($"a record begins with 0x{magic:x8}, not with 0x{StateRecord.Magic:x8}");
        ushort version = ReadUInt16();
        ReadOnlyMemory<byte> name = Take(ReadByte());
        ReadOnlyMemory<byte> fields = Take(ReadUInt32());
        uint computed = StateRecord.Checksum(_bytes.Span[start.._at]);
        uint checksum = ReadUInt32();
        if (checksum != computed)
            throw Damaged($"a record's checksum is 0x{checksum:x8}, and its bytes give 0x{computed:x8}");
        if (!Ascii.Equals(name.Span, device.StateName))
        {
            throw new StateException($"{Subject}: \"{Printable(name.Span)}\" where \"{device.StateName}\" is due; "
                + "restore it on a machine with the same devices");
        }

        if (version > device.StateVersion)
            throw new StateException($"saved state of {device.StateName}: version {version}, and this MiniVmm knows "
                + $"up to {device.StateVersion}; use a newer MiniVmm");
        if (version == 0)
            throw Damaged("a record has version 0");
        StateReader reader = new(fields, device.StateName, version);
        device.Restore(reader);
        reader.End();
    }

    /// <exception cref="StateException">There is more.</exception>
    public void End()
    {
        if (Left != 0)
            throw Damaged($"{Left} bytes are left over");
    }

    /// <summary>Refuses values that no device could have written.</summary>
    /// <param name="possible">Whether they can be.</param>
    /// <param name="what">For the message, where they cannot.</param>
    public void Check(bool possible, string what)
    {
        if (!possible)
            throw Impossible(what);
    }

    /// <summary>The same, to throw.</summary>
    public StateException Impossible(string what) => new($"{Subject}: impossible: {what}");

    public byte ReadByte() => Take(sizeof(byte)).Span[0];

    public bool ReadBool()
    {
        byte value = ReadByte();
        return value <= 1 ? value == 1 : throw Impossible($"{value} for yes (1) or no (0)");
    }

    public ushort ReadUInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(sizeof(ushort)).Span);

    public uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)).Span);

    public ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)).Span);

    public long ReadInt64() => (long)ReadUInt64();

    /// <summary>Bytes behind their length.</summary>
    /// <param name="most">The most that there may be.</param>
    public ReadOnlySpan<byte> ReadBytes(int most)
    {
        uint length = ReadUInt32();
        return length <= (uint)most ? Take(length).Span : throw Impossible($"{length} bytes where {most} fit");
    }

    /// <summary>A structure of the kernel's ABI, behind its length.</summary>
    public T ReadStructure<T>()
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = ReadBytes(int.MaxValue);
        return bytes.Length == Unsafe.SizeOf<T>()
            ? MemoryMarshal.Read<T>(bytes)
            : throw Impossible($"a {typeof(T).Name} of {bytes.Length} bytes, and it has {Unsafe.SizeOf<T>()}");
    }

    private ReadOnlyMemory<byte> Take(uint count)
    {
        if (count > (uint)Left)
            throw Damaged($"{count} bytes are due, and {Left} are left");
        ReadOnlyMemory<byte> taken = _bytes.Slice(_at, (int)count);
        _at += (int)count;
        return taken;
    }

    private StateException Damaged(string how) => new($"{Subject}: damaged: {how}");

    /// <summary>What of a name can be shown.</summary>
    private static string Printable(ReadOnlySpan<byte> name) =>
        string.Concat(name[..Math.Min(name.Length, 32)].ToArray().Select(each => each is > 0x20 and < 0x7f ? (char)each : '?'));
}
