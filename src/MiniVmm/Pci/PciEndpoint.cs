using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Pci;

/// <summary>
/// A function with a header of type 0 that is all MiniVmm's: base address registers that can be moved at any time,
/// the command register that switches them, and a list of capabilities.
/// </summary>
internal sealed class PciEndpoint : IPciFunction, ISuspendable
{
    private readonly byte[] _bytes = new byte[PciRegister.End];
    private readonly byte[] _writable = new byte[PciRegister.End];
    private readonly List<PciCapability> _capabilities = [];
    private readonly PciDecoding _decoding;
    private readonly PciBar[] _bars;
    private int _end = PciRegister.HeaderEnd; // of the capabilities
    private int _command;
    private int _held; // BARs, a bit each, that a restored state says another is in the way of: until the guest changes anything

    /// <param name="name">For people.</param>
    /// <param name="identity">What it is.</param>
    /// <param name="decoding">The bus'.</param>
    /// <param name="bars">Its base address registers.</param>
    public PciEndpoint(string name, PciIdentity identity, PciDecoding decoding, params PciBar[] bars)
    {
        Name = name;
        _decoding = decoding;
        _bars = bars;
        Set16(PciRegister.Vendor, identity.Vendor);
        Set16(PciRegister.Device, identity.Device);
        Set32(PciRegister.Revision, (identity.Class << 8) | identity.Revision);
        Set16(PciRegister.SubsystemVendor, identity.SubsystemVendor);
        Set16(PciRegister.Subsystem, identity.Subsystem);
        _writable[PciRegister.CacheLineSize] = 0xff;
        Span<byte> writable = stackalloc byte[sizeof(ulong)];
        foreach (PciBar bar in bars)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(writable, bar.AddressMask);
            writable[..bar.RegisterLength].CopyTo(_writable.AsSpan(bar.Register));
            _bytes[bar.Register] = (byte)bar.Kind;
        }

        PciCommand command = PciCommand.BusMaster | PciCommand.InterruptDisable;
        if (Array.Exists(bars, bar => bar.IsPort))
            command |= PciCommand.Ports;
        if (Array.Exists(bars, bar => !bar.IsPort))
            command |= PciCommand.Memory;
        BinaryPrimitives.WriteUInt16LittleEndian(_writable.AsSpan(PciRegister.Command), (ushort)command);
    }

    public string Name { get; }

    public IReadOnlyList<PciBar> Bars => _bars;

    /// <summary>The command register; from any thread.</summary>
    public PciCommand Command => (PciCommand)Volatile.Read(ref _command);

    /// <summary>Told after the command register has changed, with what it was.</summary>
    public Action<PciCommand>? CommandChanged { get; init; }

    /// <summary>Told after registers behind the header were written: the first, and how many.</summary>
    public Action<int, int>? RegistersWritten { get; init; }

    /// <summary>Whether the function wants an INTx interrupt, whatever may hold it back.</summary>
    public Func<bool>? WantsInterrupt { get; init; }

    public string StateName => "pci-endpoint";

    public ushort StateVersion => 2;

    /// <summary>Puts a capability behind the others.</summary>
    /// <exception cref="ArgumentException">There is no room for it.</exception>
    public void Add(PciCapability capability)
    {
        ArgumentNullException.ThrowIfNull(capability);
        if (capability.Length > PciRegister.End - _end)
            throw new ArgumentException($"{Name}: no room for capability 0x{capability.Id:x2}", nameof(capability));
        capability.Offset = _end;
        capability.Initialize(_bytes.AsSpan(_end, capability.Length), _writable.AsSpan(_end, capability.Length));
        _bytes[_end] = capability.Id;
        _bytes[_capabilities.Count == 0 ? PciRegister.Capabilities : _capabilities[^1].Offset + 1] = (byte)_end;
        _bytes[PciRegister.Status] |= (byte)PciStatus.Capabilities;
        _capabilities.Add(capability);
        _end = (_end + capability.Length + 3) & ~3;
    }

    /// <summary>Adds registers that are the function's own and no capability: bytes that hold what is written.</summary>
    /// <param name="register">First byte, behind the header as a rule.</param>
    /// <param name="values">What they hold at first.</param>
    /// <param name="writable">The bits that a guest can write; as long.</param>
    public void AddRegisters(int register, ReadOnlySpan<byte> values, ReadOnlySpan<byte> writable)
    {
        values.CopyTo(_bytes.AsSpan(register, values.Length));
        writable.CopyTo(_writable.AsSpan(register, values.Length));
    }

    /// <summary>What a register of <see cref="AddRegisters"/> holds.</summary>
    public byte this[int register] => _bytes[register];

    /// <summary>Names its INTx pin, and what firmware notes beside it for a kernel that asks no ACPI.</summary>
    /// <param name="pin">1 to 4, for INTA to INTD.</param>
    /// <param name="line">The line of the 8259s.</param>
    public void SetInterrupt(byte pin, byte line)
    {
        _bytes[PciRegister.InterruptPin] = pin;
        _bytes[PciRegister.InterruptLine] = line;
        _writable[PciRegister.InterruptLine] = 0xff;
    }

    /// <summary>Sets a BAR and the command register as firmware does.</summary>
    public void Assign(PciBar bar, ulong address)
    {
        ArgumentNullException.ThrowIfNull(bar);
        Span<byte> value = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(value, (address & bar.AddressMask) | (byte)bar.Kind);
        value[..bar.RegisterLength].CopyTo(_bytes.AsSpan(bar.Register));
    }

    public void ReadConfiguration(int register, Span<byte> data)
    {
        if (register + data.Length > _bytes.Length)
        {
            data.Fill(0xff);
            return;
        }

        foreach (PciCapability capability in _capabilities)
        {
            if (Touches(capability, register, data.Length, out int first, out int end))
                capability.Reading(_bytes.AsSpan(capability.Offset, capability.Length), first, end);
        }

        _bytes.AsSpan(register, data.Length).CopyTo(data);
        int status = PciRegister.Status - register;
        if (status >= 0 && status < data.Length && WantsInterrupt is { } wants && wants())
            data[status] |= (byte)PciStatus.Interrupt;
    }

    public void WriteConfiguration(int register, ReadOnlySpan<byte> data)
    {
        if (register + data.Length > _bytes.Length)
            return;
        for (int i = 0; i < data.Length; i++)
        {
            ref byte at = ref _bytes[register + i];
            byte writable = _writable[register + i];
            at = (byte)((at & ~writable) | (data[i] & writable));
        }

        if (register < PciRegister.Status || register is >= PciRegister.Bars and < PciRegister.SubsystemVendor)
            Decode();
        if (register >= PciRegister.HeaderEnd)
            RegistersWritten?.Invoke(register, data.Length);
        foreach (PciCapability capability in _capabilities)
        {
            if (Touches(capability, register, data.Length, out int first, out int end))
                capability.Written(_bytes.AsSpan(capability.Offset, capability.Length), first, end);
        }
    }

    /// <summary>Has each BAR decoded where it is programmed to, if it is on and the addresses are free.</summary>
    public void Decode()
    {
        _held = 0;
        DecodeRestored();
    }

    /// <summary>The same, but for what was not decoded in the state that the function was restored from.</summary>
    public void DecodeRestored()
    {
        PciCommand before = Command;
        PciCommand now = (PciCommand)BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(PciRegister.Command));
        Volatile.Write(ref _command, (int)now);

        // All that go first: one may come where another was.
        foreach (PciBar bar in _bars)
        {
            if (bar.MappedAt is not { } mapped || (mapped == Wanted(bar, now) && !IsHeld(bar)))
                continue;
            bar.Target.Unmap(mapped);
            bar.MappedAt = null;
            _decoding.Release(bar.IsPort, bar.At(mapped));
        }

        foreach (PciBar bar in _bars)
        {
            if (bar.MappedAt is not null || IsHeld(bar) || Wanted(bar, now) is not { } wanted
                || !_decoding.TryClaim(bar.IsPort, bar.At(wanted)))
                continue;
            bar.MappedAt = wanted;
            bar.Target.Map(wanted);
        }

        if (now != before)
            CommandChanged?.Invoke(before);
    }

    /// <summary>Switches its BARs on, as firmware does that has assigned them.</summary>
    public void Enable()
    {
        _bytes[PciRegister.Command] |= (byte)(_writable[PciRegister.Command] & (byte)(PciCommand.Ports | PciCommand.Memory));
        Decode();
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteBytes(_bytes);
        int decoded = 0;
        foreach (PciBar bar in _bars)
            decoded |= bar.MappedAt is null ? 0 : 1 << bar.Index;
        writer.WriteByte((byte)decoded);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ReadOnlySpan<byte> saved = reader.ReadBytes(_bytes.Length);
        reader.Check(saved.Length == _bytes.Length, $"{saved.Length} bytes of configuration space");
        for (int i = 0; i < saved.Length; i++)
        {
            reader.Check(
                ((saved[i] ^ _bytes[i]) & ~_writable[i]) == 0, $"byte 0x{i:x2} of configuration space is 0x{saved[i]:x2}");
            _bytes[i] = saved[i];
        }

        byte decoded = reader.Version < 2 ? (byte)((1 << PciRegister.BarCount) - 1) : reader.ReadByte();
        reader.Check(decoded >> PciRegister.BarCount == 0, $"decoded BARs 0x{decoded:x}");
        _held = ~decoded;
        _decoding.Restored(this);
        foreach (PciCapability capability in _capabilities)
            capability.Restored(_bytes.AsSpan(capability.Offset, capability.Length));
    }

    private bool IsHeld(PciBar bar) => (_held & (1 << bar.Index)) != 0;

    /// <summary>The address in a BAR, where it is to be decoded at all.</summary>
    private ulong? Wanted(PciBar bar, PciCommand command)
    {
        if ((command & (bar.IsPort ? PciCommand.Ports : PciCommand.Memory)) == 0)
            return null;
        ulong value = bar.Is64Bit
            ? BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(bar.Register))
            : BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(bar.Register));
        return value & bar.AddressMask;
    }

    private static bool Touches(PciCapability capability, int register, int length, out int first, out int end)
    {
        first = Math.Max(register - capability.Offset, 0);
        end = Math.Min(register + length - capability.Offset, capability.Length);
        return first < end;
    }

    private void Set16(int register, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(register), value);

    private void Set32(int register, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(register), value);
}
