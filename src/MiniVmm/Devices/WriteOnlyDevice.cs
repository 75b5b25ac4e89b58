namespace MiniVmm.Devices;

/// <summary>Takes what a guest writes to a device.</summary>
/// <param name="offset">Where in its window.</param>
/// <param name="data">1, 2, 4 or 8 bytes, little-endian.</param>
public delegate void BusWrite(ulong offset, ReadOnlySpan<byte> data);

/// <summary>A device that takes writes, and reads as all ones.</summary>
/// <param name="write">Called on the thread of the vCPU that writes, several at once.</param>
public sealed class WriteOnlyDevice(BusWrite write) : IBusDevice
{
    public void Read(ulong offset, Span<byte> data) => data.Fill(0xff);

    public void Write(ulong offset, ReadOnlySpan<byte> data) => write(offset, data);
}
