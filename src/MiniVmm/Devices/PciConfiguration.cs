using System.Buffers.Binary;

namespace MiniVmm.Devices;

/// <summary>
/// PCI configuration mechanism #1 (PCI Local Bus 3.0, 3.2.2.3.2): an address register at 0xcf8, its data window at
/// 0xcfc. The byte at 0xcf9 is the reset control, as in Intel's chipsets. A kernel that finds the mechanism missing calls
/// that fatal, and so it is there also in a machine without PCI.
/// </summary>
internal sealed class PciConfiguration(IPowerControl power, IPciConfiguration functions) : IBusDevice, ISuspendable, IDescribesAccesses
{
    /// <summary>Ports that the device takes: address and data.</summary>
    public const int Length = 8;

    private const uint Enable = 1u << 31;
    private const ulong ResetOffset = IoPorts.Reset - IoPorts.PciConfigAddress;
    private const ulong Data = 4;
    private readonly ResetControl _reset = new(power);
    private uint _address;

    public IAccessWords CreateWords() => new PciConfigurationWords();

    public string StateName => "pci-configuration";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteUInt32(_address);
        writer.WriteRecord(_reset);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _address = reader.ReadUInt32();
        reader.ReadRecord(_reset);
    }

    public void Read(ulong offset, Span<byte> data)
    {
        if (offset == ResetOffset && data.Length == 1)
            ((IBusDevice)_reset).Read(0, data);
        else if (offset == 0 && data.Length == 4)
            BinaryPrimitives.WriteUInt32LittleEndian(data, _address);
        else if (offset >= Data && (_address & Enable) != 0)
            functions.Read((_address >> 8) & 0xffff, Register(offset), data);
        else
            data.Fill(0xff);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        // Only a dword at the base is the address register: narrower accesses go past it, to what else is there.
        if (offset == ResetOffset && data.Length == 1)
            ((IBusDevice)_reset).Write(0, data);
        else if (offset == 0 && data.Length == 4)
            _address = BinaryPrimitives.ReadUInt32LittleEndian(data);
        else if (offset >= Data && (_address & Enable) != 0)
            functions.Write((_address >> 8) & 0xffff, Register(offset), data);
    }

    private int Register(ulong offset) => (int)(_address & 0xfc) + (int)(offset - Data);
}
