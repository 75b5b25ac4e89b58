using System.Buffers.Binary;

namespace MiniVmm.Devices;

/// <summary>Port 0xe9 of Bochs and QEMU (isa-debugcon): what is written is printed, and a read gives 0xe9.</summary>
public sealed class DebugConsole(IConsoleSink sink) : ByteDevice
{
    protected override byte ReadByte(uint offset) => (byte)IoPorts.DebugConsole;

    protected override void WriteByte(uint offset, byte value) => sink.Write(value);
}

/// <summary>
/// QEMU's isa-debug-exit: four ports, of which any write ends the VM with a status made of its value.
/// </summary>
public sealed class DebugExit(IPowerControl power) : IBusDevice
{
    /// <summary>Ports that the device takes.</summary>
    public const int Length = 4;

    public void Read(ulong offset, Span<byte> data) => data.Clear();

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        Span<byte> value = stackalloc byte[8];
        value.Clear();
        data.CopyTo(value);
        power.DebugExit(BinaryPrimitives.ReadUInt32LittleEndian(value));
    }
}
