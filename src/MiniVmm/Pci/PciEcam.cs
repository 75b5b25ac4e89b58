using MiniVmm.Devices;

namespace MiniVmm.Pci;

/// <summary>
/// The enhanced configuration access mechanism (PCI Express Base 3.0, 7.2.2): 4 KiB of memory for each function of bus 0.
/// </summary>
internal sealed class PciEcam(IPciConfiguration functions) : IBusDevice
{
    /// <summary>Bytes for a bus of 256 functions.</summary>
    public const int Length = 1 << 20;

    private const int FunctionShift = 12;
    private const int RegisterMask = (1 << FunctionShift) - 1;
    private const int Doubleword = 4;

    public void Read(ulong offset, Span<byte> data)
    {
        while (!data.IsEmpty)
        {
            int length = InDoubleword(offset, data.Length);
            functions.Read((uint)(offset >> FunctionShift), (int)offset & RegisterMask, data[..length]);
            offset += (ulong)length;
            data = data[length..];
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            int length = InDoubleword(offset, data.Length);
            functions.Write((uint)(offset >> FunctionShift), (int)offset & RegisterMask, data[..length]);
            offset += (ulong)length;
            data = data[length..];
        }
    }

    private static int InDoubleword(ulong offset, int length) =>
        Math.Min(length, Doubleword - ((int)offset & (Doubleword - 1)));
}
