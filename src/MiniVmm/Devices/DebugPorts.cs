using System.Buffers.Binary;

namespace MiniVmm.Devices;

/// <summary>Port 0xe9 of Bochs and QEMU (isa-debugcon): what is written is printed, and a read gives 0xe9.</summary>
public sealed class DebugConsole(IConsoleSink sink) : ByteDevice, IDescribesAccesses
{
    /// <inheritdoc/>
    public IAccessWords CreateWords() => new PortWords("print", isText: true);

    protected override byte ReadByte(uint offset) => (byte)IoPorts.DebugConsole;

    protected override void WriteByte(uint offset, byte value) => sink.Write(value);
}

/// <summary>
/// QEMU's isa-debug-exit: up to four ports, of which any write ends the VM with a status made of its value.
/// </summary>
/// <param name="power">Told of the end.</param>
/// <param name="ports">How many take writes; one that begins there may be wider.</param>
public sealed class DebugExit(IPowerControl power, ulong ports = DebugExit.Length) : IBusDevice, IDescribesAccesses
{
    /// <summary>Ports that the device takes.</summary>
    public const int Length = 4;

    /// <inheritdoc/>
    public IAccessWords CreateWords() => new PortWords("end with", isText: false);

    public void Read(ulong offset, Span<byte> data) => data.Clear();

    /// <summary>
    /// What it claims on the bus: four ports where it has fewer, as a write of four bytes reaches it too, of which QEMU's takes
    /// what fits.
    /// </summary>
    /// <param name="ports">Those that take writes.</param>
    public static DeviceWindow Claim(DeviceWindow ports) =>
        ports with { Length = Math.Min(Math.Max(ports.Length, Length), 0x1_0000 - ports.Start) };

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (offset >= ports)
            return;
        Span<byte> value = stackalloc byte[8];
        value.Clear();
        data.CopyTo(value);
        power.DebugExit(BinaryPrimitives.ReadUInt32LittleEndian(value));
    }
}
