using System.Buffers.Binary;

namespace MiniVmm.Pci;

/// <summary>The capability in front of an <see cref="MsixTable"/> (PCI Local Bus 3.0, 6.8.2.3).</summary>
/// <param name="table">The table.</param>
/// <param name="bar">Index of the BAR that shows the table and, behind it, the pending bits.</param>
internal sealed class MsixCapability(MsixTable table, int bar) : PciCapability(0x11, 12)
{
    private const int ControlHigh = 3; // the upper byte of message control
    private const byte Enable = 0x80;
    private const byte FunctionMask = 0x40;

    public override void Initialize(Span<byte> bytes, Span<byte> writable)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], (ushort)(table.Count - 1));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], (uint)bar);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], table.PendingOffset | (uint)bar);
        writable[ControlHigh] = Enable | FunctionMask;
    }

    public override void Written(ReadOnlySpan<byte> bytes, int first, int end) => Restored(bytes);

    public override void Restored(ReadOnlySpan<byte> bytes) =>
        table.SetControl((bytes[ControlHigh] & Enable) != 0, (bytes[ControlHigh] & FunctionMask) != 0);
}
