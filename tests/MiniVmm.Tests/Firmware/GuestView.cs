using System.Buffers.Binary;
using System.Text;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Firmware;

/// <summary>Firmware tables as a guest reads them: by guest-physical address, never outside the segment.</summary>
internal sealed class GuestView(LoadSegment segment)
{
    public ReadOnlySpan<byte> Bytes(ulong address, int length) =>
        segment.Data.Span.Slice(checked((int)(address - segment.Address)), length);

    public byte U8(ulong address) => Bytes(address, 1)[0];

    public ushort U16(ulong address) => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(address, 2));

    public uint U32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(address, 4));

    public ulong U64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(address, 8));

    public string Text(ulong address, int length) => Encoding.ASCII.GetString(Bytes(address, length));

    public byte Sum(ulong address, int length)
    {
        byte sum = 0;
        foreach (byte b in Bytes(address, length))
            sum += b;
        return sum;
    }

    /// <summary>Finds an ACPI table as a guest does: RSDP, XSDT, and for the DSDT and FACS the FADT.</summary>
    public (ulong Address, int Length) Table(string signature)
    {
        if (signature is "DSDT" or "FACS")
            return At(U32(Table("FACP").Address + (signature == "DSDT" ? 40u : 36u)));
        (ulong xsdt, int length) = At(U64(segment.Address + 24));
        for (ulong entry = xsdt + 36; entry < xsdt + (ulong)length; entry += 8)
        {
            if (Text(U64(entry), 4) == signature)
                return At(U64(entry));
        }

        throw new InvalidOperationException($"no {signature} in the XSDT");
    }

    public byte[] TableBytes(string signature)
    {
        (ulong address, int length) = Table(signature);
        return Bytes(address, length).ToArray();
    }

    private (ulong Address, int Length) At(ulong address) => (address, (int)U32(address + 4));
}
