using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Display;

/// <summary>The same registers at ports: the index at 0x1ce, the value at 0x1cf and, for even ports, at 0x1d0.</summary>
/// <param name="dispi">The registers.</param>
internal sealed class BochsDispiPorts(BochsDispi dispi) : IBusDevice
{
    public const ushort First = 0x1ce;
    public const int Length = 3;

    public void Read(ulong offset, Span<byte> data)
    {
        data.Fill(0xff);
        if (data.Length == sizeof(ushort))
            BinaryPrimitives.WriteUInt16LittleEndian(data, offset == 0 ? dispi.Index : dispi.ReadRegister(dispi.Index));
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (data.Length != sizeof(ushort))
            return;
        ushort value = BinaryPrimitives.ReadUInt16LittleEndian(data);
        if (offset == 0)
            dispi.Index = value;
        else
            dispi.WriteRegister(dispi.Index, value);
    }
}
