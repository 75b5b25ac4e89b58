using System.Buffers.Binary;

namespace MiniVmm.Passthrough;

/// <summary>
/// Configuration space behind the header as the guest reads and writes it: emulated bits from here, all others from the
/// device. One call at a time.
/// </summary>
/// <param name="map">What is whose.</param>
/// <param name="device">Reads and writes the device's own, at an offset.</param>
internal sealed class GuestConfiguration(ConfigurationMap map, GuestConfiguration.IDevice device)
{
    private readonly byte[] _shadow = map.Values.ToArray();

    /// <summary>The device's configuration space.</summary>
    internal interface IDevice
    {
        /// <summary>Reads it; all bits set where it does not answer.</summary>
        void Read(int register, Span<byte> data);

        void Write(int register, ReadOnlySpan<byte> data);
    }

    /// <summary>The emulated bits as they are; others mean nothing.</summary>
    public ReadOnlySpan<byte> Shadow => _shadow;

    /// <summary>Sets emulated registers that the guest cannot: pending bits.</summary>
    public void Set(int register, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_shadow.AsSpan(register), value);

    /// <summary>Reads registers; all ones behind the end.</summary>
    public void Read(int register, Span<byte> data)
    {
        if (register + data.Length > _shadow.Length)
        {
            data.Fill(0xff);
            return;
        }

        ReadOnlySpan<byte> emulated = map.Emulated.Slice(register, data.Length);
        if (emulated.ContainsAnyExcept((byte)0xff))
            device.Read(register, data);
        for (int i = 0; i < data.Length; i++)
            data[i] = (byte)((data[i] & ~emulated[i]) | (_shadow[register + i] & emulated[i]));
    }

    /// <summary>Writes registers; what is not writable is left alone.</summary>
    public void Write(int register, ReadOnlySpan<byte> data)
    {
        if (register + data.Length > _shadow.Length)
            return;
        ReadOnlySpan<byte> emulated = map.Emulated.Slice(register, data.Length);
        ReadOnlySpan<byte> writable = map.Writable.Slice(register, data.Length);
        for (int i = 0; i < data.Length; i++)
        {
            ref byte at = ref _shadow[register + i];
            at = (byte)((at & ~writable[i]) | (data[i] & writable[i]));
        }

        if (!emulated.ContainsAnyExcept((byte)0xff))
            return;
        if (!emulated.ContainsAnyExcept((byte)0))
        {
            device.Write(register, data);
            return;
        }

        // A register of both: the device gets back what it has of its own there.
        Span<byte> merged = stackalloc byte[data.Length];
        device.Read(register, merged);
        for (int i = 0; i < data.Length; i++)
            merged[i] = (byte)((merged[i] & emulated[i]) | (data[i] & ~emulated[i]));
        device.Write(register, merged);
    }
}
