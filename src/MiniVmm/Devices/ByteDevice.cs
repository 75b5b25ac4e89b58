namespace MiniVmm.Devices;

/// <summary>
/// A device of byte-wide registers, as ISA ones are: a wider access is taken apart, lowest address first, the
/// way an 8-bit slot does it (`outw` to the RTC's index writes the index, then the data).
/// </summary>
public abstract class ByteDevice : IBusDevice
{
    public void Read(ulong offset, Span<byte> data)
    {
        for (int i = 0; i < data.Length; i++)
            data[i] = ReadByte((uint)offset + (uint)i);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        for (int i = 0; i < data.Length; i++)
            WriteByte((uint)offset + (uint)i, data[i]);
    }

    protected abstract byte ReadByte(uint offset);

    protected abstract void WriteByte(uint offset, byte value);
}
