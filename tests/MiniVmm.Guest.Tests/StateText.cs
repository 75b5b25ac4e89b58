using System.Text;
using MiniVmm.Devices;

namespace MiniVmm.Guest.Tests;

/// <summary>The fields of a part's state as docs/state-format.md has them, to be compared; without the TSC, which runs.</summary>
internal sealed class StateText : ISuspendable
{
    private const uint Tsc = 0x10;
    private readonly StringBuilder _text = new();

    private StateText(ISuspendable part) => (StateName, StateVersion) = (part.StateName, part.StateVersion);

    public string StateName { get; }

    public ushort StateVersion { get; }

    public static string Of(ISuspendable part)
    {
        byte[] state = StateWriter.Save(part);
        if (part.StateName != "vcpu")
            return Convert.ToHexString(state);
        StateText text = new(part);
        StateReader.Restore(text, state);
        return text._text.ToString();
    }

    public void Save(StateWriter writer) => throw new NotSupportedException();

    public void Restore(StateReader reader)
    {
        _text.AppendLine($"APIC id {reader.ReadUInt32()}, {reader.ReadUInt32()} kHz, state {reader.ReadUInt32()}");
        Append("general", reader);
        Append("special", reader);
        Append("extended", reader);
        Append("XCRs", reader);
        Append("debug", reader);
        Append("APIC", reader);
        Append("events", reader);
        for (int left = reader.ReadUInt16(); left > 0; left--)
        {
            (uint index, ulong value) = (reader.ReadUInt32(), reader.ReadUInt64());
            if (index != Tsc)
                _text.AppendLine($"MSR {index:x} {value:x}");
        }
    }

    private void Append(string name, StateReader reader) =>
        _text.AppendLine($"{name} {Convert.ToHexString(reader.ReadBytes(int.MaxValue))}");
}
