using MiniVmm.Devices;

namespace MiniVmm.Benchmarks;

/// <summary>The least a device can do: keep the last byte, and give it back.</summary>
internal sealed class Sink : ByteDevice
{
    private byte _last;

    protected override byte ReadByte(uint offset) => _last;

    protected override void WriteByte(uint offset, byte value) => _last = value;
}
