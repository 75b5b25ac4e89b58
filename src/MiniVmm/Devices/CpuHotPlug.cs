using System.Buffers.Binary;

namespace MiniVmm.Devices;

/// <summary>What the host wants of a guest, by the number that ACPI's Notify has for it (ACPI 6.5, 5.6.6).</summary>
internal enum CpuRequest : byte
{
    None = 0,

    /// <summary>The processor has come: take it into use.</summary>
    Insert = 1,

    /// <summary>The processor is to go: stop using it, and eject it.</summary>
    Eject = 3,
}

/// <summary>How far a processor's last request is.</summary>
/// <param name="Pending">What the guest has not done yet.</param>
/// <param name="Announced">Whether it has heard of it.</param>
/// <param name="Refused">What it has refused since the last request; then it has a status.</param>
/// <param name="Status">The refusal's, of ACPI's _OST (6.3.5).</param>
internal readonly record struct CpuRequestState(CpuRequest Pending, bool Announced, CpuRequest Refused, uint Status);

/// <summary>
/// The registers by which a guest's ACPI methods learn of processors that come and are to go, and tell what they did: a
/// command for a processor, whose result is read in its place, and two operands. An interrupt is up as long as there is a
/// request that the guest has not heard of.
/// </summary>
/// <remarks>
/// The boot processor, 0, always stays. A guest may eject a processor unasked. An access may have any width: what it does not
/// have of the command counts as 0.
/// </remarks>
internal sealed class CpuHotPlug : IBusDevice, ISuspendable
{
    /// <summary>Ports that the device takes: three doublewords.</summary>
    public const int Length = 12;

    /// <summary>Result: ACPI's status (6.3.7) of the processor, 0 for one that is not in.</summary>
    public const byte GetStatus = 1;

    /// <summary>Result: the next request that the guest has not heard of, its processor and from bit 16 on what it is; or 0.</summary>
    public const byte NextRequest = 2;

    /// <summary>The processor is no longer used, and goes.</summary>
    public const byte Eject = 3;

    /// <summary>
    /// The operands are _OST's event and status for the processor. The result stays: whoever waits for that of another
    /// command still gets it.
    /// </summary>
    public const byte Report = 4;

    private const uint Present = 0xf; // enabled, shown, working
    private const uint Success = 0;

    private readonly IProcessorBay _bay;
    private readonly LevelLine _line;
    private readonly DeviceLock _lock = new();
    private readonly Slot[] _slots;
    private uint _event;
    private uint _status;
    private uint _result;
    private int _unheard; // requests that the guest has not heard of

    /// <param name="count">Processors that the machine has room for.</param>
    /// <param name="bay">Where they are.</param>
    /// <param name="line">The interrupt.</param>
    public CpuHotPlug(int count, IProcessorBay bay, ILevelInterrupt line)
    {
        _slots = new Slot[count];
        _bay = bay;
        _line = new(line);
    }

    public string StateName => "cpu-hotplug";

    public ushort StateVersion => 1;

    /// <summary>What is written for a command.</summary>
    public static uint Command(byte command, int index) => ((uint)command << 16) | (uint)index;

    /// <summary>How far the requests for a processor are; one that the guest has ejected is done with once it says so.</summary>
    public CpuRequestState this[int index]
    {
        get
        {
            using (_lock.Hold())
            {
                ref Slot slot = ref _slots[index];
                return new(slot.Pending, slot.Announced, slot.Refused, slot.Status);
            }
        }
    }

    /// <summary>Tells the guest of a processor that is in; again, where it had refused it.</summary>
    public void RequestInsertion(int index) => Request(index, CpuRequest.Insert);

    /// <summary>
    /// Asks the guest to eject a processor, or asks again; one that it knows nothing of yet it need not be asked for.
    /// </summary>
    /// <returns>False where it does not: the caller takes the processor out.</returns>
    public bool RequestEjection(int index)
    {
        bool isKnown;
        bool changed;
        using (_lock.Hold())
        {
            ref Slot slot = ref _slots[index];
            isKnown = !(slot is { Pending: CpuRequest.Insert, Announced: false, Shown: false });
            if (isKnown)
                Pend(ref slot, CpuRequest.Eject);
            else
                Settle(ref slot);
            changed = UpdateLine();
        }

        if (changed)
            _line.Drive();
        return isKnown;
    }

    /// <summary>
    /// Takes a wish for ejection back, if the guest has not heard of it; and tells the guest again of a processor that it
    /// had refused.
    /// </summary>
    public void Keep(int index)
    {
        bool changed;
        using (_lock.Hold())
        {
            ref Slot slot = ref _slots[index];
            if (slot is { Pending: CpuRequest.Eject, Announced: false })
                Settle(ref slot);
            else if (slot.Refused == CpuRequest.Insert)
                Pend(ref slot, CpuRequest.Insert);
            else if (slot.Pending == CpuRequest.None)
                slot.Refused = CpuRequest.None; // what it would not give is not asked for any more
            changed = UpdateLine();
        }

        if (changed)
            _line.Drive();
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using (_lock.Hold())
        {
            writer.WriteUInt32(_event);
            writer.WriteUInt32(_status);
            writer.WriteUInt32(_result);
            writer.WriteUInt16((ushort)_slots.Length);
            foreach (Slot slot in _slots)
            {
                writer.WriteByte((byte)slot.Pending);
                writer.WriteBool(slot.Announced);
                writer.WriteBool(slot.Looked);
                writer.WriteBool(slot.Shown);
                writer.WriteByte((byte)slot.Refused);
                writer.WriteUInt32(slot.Status);
            }
        }
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        bool changed;
        using (_lock.Hold())
        {
            _event = reader.ReadUInt32();
            _status = reader.ReadUInt32();
            _result = reader.ReadUInt32();
            ushort count = reader.ReadUInt16();
            reader.Check(count == _slots.Length, $"{count} processors, and there is room for {_slots.Length}");
            _unheard = 0;
            for (int i = 0; i < count; i++)
            {
                Slot slot = new()
                {
                    Pending = (CpuRequest)reader.ReadByte(),
                    Announced = reader.ReadBool(),
                    Looked = reader.ReadBool(),
                    Shown = reader.ReadBool(),
                    Refused = (CpuRequest)reader.ReadByte(),
                    Status = reader.ReadUInt32(),
                };
                reader.Check(
                    Enum.IsDefined(slot.Pending) && Enum.IsDefined(slot.Refused)
                        && (i > 0 || (slot.Pending, slot.Refused) == default)
                        && (slot.Pending != CpuRequest.None || !slot.Announced)
                        && (slot.Pending == CpuRequest.None || slot.Refused == CpuRequest.None),
                    $"request {(byte)slot.Pending} for processor {i}");
                _slots[i] = slot;
                if (IsUnheard(slot))
                    _unheard++;
            }

            changed = UpdateLine();
        }

        if (changed)
            _line.Drive();
    }

    public void Read(ulong offset, Span<byte> data)
    {
        Span<byte> registers = stackalloc byte[Length];
        using (_lock.Hold())
            WriteTo(registers, _result);
        registers.Slice((int)offset, data.Length).CopyTo(data);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        Span<byte> registers = stackalloc byte[Length];
        int leaves;
        bool changed;
        using (_lock.Hold())
        {
            WriteTo(registers, 0);
            data.CopyTo(registers[(int)offset..]);
            _event = BinaryPrimitives.ReadUInt32LittleEndian(registers[4..]);
            _status = BinaryPrimitives.ReadUInt32LittleEndian(registers[8..]);
            leaves = Execute(BinaryPrimitives.ReadUInt32LittleEndian(registers));
            changed = UpdateLine();
        }

        if (changed)
            _line.Drive();
        if (leaves != 0)
            _bay.TakeOut(leaves);
    }

    /// <summary>Carries a command out, under the lock.</summary>
    /// <returns>The processor that goes; 0 for none, as the boot processor never does.</returns>
    private int Execute(uint written)
    {
        (uint command, int index) = (written >> 16, (int)(written & 0xffff));
        if (command == NextRequest)
            _result = AnnounceNext();
        if (index >= _slots.Length)
        {
            if (command == GetStatus)
                _result = 0;
            return 0;
        }

        ref Slot slot = ref _slots[index];
        bool present = _bay.IsPresent(index);
        switch (command)
        {
            case GetStatus:
                _result = present ? Present : 0;

                // A guest that has not looked before finds the processor by this look.
                if (present && !slot.Looked && slot is { Pending: CpuRequest.Insert, Announced: false })
                    Settle(ref slot);
                slot.Looked = true;
                slot.Shown = present;
                return 0;
            case Eject when present && index != 0:
                Settle(ref slot);
                (slot.Pending, slot.Announced) = (CpuRequest.Eject, true);
                return index;
            case Report:
                Hear(ref slot, present);
                return 0;
            default:
                return 0;
        }
    }

    private uint AnnounceNext()
    {
        for (int i = 1; _unheard > 0 && i < _slots.Length; i++)
        {
            ref Slot slot = ref _slots[i];
            if (!IsUnheard(slot))
                continue;
            if (!_bay.IsPresent(i))
            {
                Settle(ref slot); // it has gone by itself meanwhile
                continue;
            }

            slot.Announced = true;
            _unheard--;
            return ((uint)slot.Pending << 16) | (uint)i;
        }

        return 0;
    }

    /// <summary>Takes what _OST says: of no use but for a request that the guest has heard of.</summary>
    private void Hear(ref Slot slot, bool present)
    {
        (uint byHost, uint processing, uint inProgress) = slot.Pending == CpuRequest.Insert
            ? ((uint)CpuRequest.Insert, 0x200u, 0x80u)
            : ((uint)CpuRequest.Eject, 0x103u, 0x84u);
        if (!slot.Announced || (_event != byHost && _event != processing) || _status == inProgress)
            return;
        CpuRequest request = slot.Pending;
        if (present && request == CpuRequest.Eject && _status == Success)
            return; // it still has to eject it
        Settle(ref slot);
        if (present && _status != Success)
            (slot.Refused, slot.Status) = (request, _status);
    }

    private void Request(int index, CpuRequest request)
    {
        bool changed;
        using (_lock.Hold())
        {
            Pend(ref _slots[index], request);
            changed = UpdateLine();
        }

        if (changed)
            _line.Drive();
    }

    private void Pend(ref Slot slot, CpuRequest request)
    {
        Settle(ref slot);
        slot.Pending = request;
        _unheard++;
    }

    /// <summary>Nothing is wanted of the guest any more.</summary>
    private void Settle(ref Slot slot)
    {
        if (IsUnheard(slot))
            _unheard--;
        slot = new() { Looked = slot.Looked };
    }

    private static bool IsUnheard(in Slot slot) => slot is { Pending: not CpuRequest.None, Announced: false };

    private bool UpdateLine() => _line.Want(_unheard > 0);

    /// <summary>The registers side by side, as a guest sees them.</summary>
    private void WriteTo(Span<byte> registers, uint command)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(registers, command);
        BinaryPrimitives.WriteUInt32LittleEndian(registers[4..], _event);
        BinaryPrimitives.WriteUInt32LittleEndian(registers[8..], _status);
    }

    private struct Slot
    {
        public CpuRequest Pending;
        public bool Announced;
        public bool Looked; // the guest asked for its status
        public bool Shown; // and since the last request got one of a processor that is in
        public CpuRequest Refused;
        public uint Status;
    }
}
