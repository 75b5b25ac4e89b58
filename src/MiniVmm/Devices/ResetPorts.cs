namespace MiniVmm.Devices;

/// <summary>The chipset's reset control register, 0xcf9: a write with bit 2 set resets the machine.</summary>
public sealed class ResetControl(IPowerControl power) : ByteDevice, ISuspendable
{
    private const byte ResetCpu = 0x04;
    private byte _value;

    public string StateName => "reset-control";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteByte(_value);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _value = reader.ReadByte();
        reader.Check((_value & ResetCpu) == 0, $"value 0x{_value:x2}");
    }

    protected override byte ReadByte(uint offset) => _value;

    protected override void WriteByte(uint offset, byte value)
    {
        _value = (byte)(value & ~ResetCpu);
        if ((value & ResetCpu) != 0)
            power.Reset();
    }
}

/// <summary>System control port A, 0x92: bit 1 is the fast A20 gate (always open here), bit 0 resets.</summary>
public sealed class SystemControlPortA(IPowerControl power) : ByteDevice
{
    protected override byte ReadByte(uint offset) => 0x02;

    protected override void WriteByte(uint offset, byte value)
    {
        if ((value & 0x01) != 0)
            power.Reset();
    }
}
