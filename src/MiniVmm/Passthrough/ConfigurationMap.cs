using System.Buffers.Binary;

namespace MiniVmm.Passthrough;

/// <summary>Where a function's MSI-X structures are (PCI Local Bus 3.0, 6.8.2).</summary>
/// <param name="Vectors">1 to 2048.</param>
/// <param name="TableBar">BAR with the table.</param>
/// <param name="TableOffset">Where it begins.</param>
/// <param name="PendingBar">BAR with the pending bits.</param>
/// <param name="PendingOffset">Where they begin.</param>
internal sealed record MsixLayout(int Vectors, int TableBar, uint TableOffset, int PendingBar, uint PendingOffset)
{
    private const uint EntrySize = 16;

    /// <summary>The table within its BAR.</summary>
    public RegionArea Table => new(TableOffset, (ulong)Vectors * EntrySize);

    /// <summary>The pending bits within theirs, in whole quadwords.</summary>
    public RegionArea Pending => new(PendingOffset, (ulong)((Vectors + 63) / 64 * sizeof(ulong)));
}

/// <summary>
/// Configuration space of a host's function behind the header, field by field: what the guest sees of the device itself,
/// what is made up, and what is hidden because it means the host's fabric, addresses or power. Bits of
/// <see cref="Emulated"/> are never the device's; all others are read from it and written to it, where VFIO has the last
/// word.
/// </summary>
internal sealed class ConfigurationMap
{
    /// <summary>Bytes of the header, which is not here.</summary>
    public const int HeaderEnd = 0x40;

    private const int ConventionalEnd = 0x100;
    private const int ExpressEnd = 0x1000;
    private const int StatusRegister = 0x06;
    private const byte HasCapabilities = 0x10;
    private const int FirstCapability = 0x34;
    private const int MostCapabilities = 48; // of 4 bytes each, behind the header
    private const int MostExtendedCapabilities = 960;
    private const ushort NoExtendedCapability = 0xffff;

    private readonly byte[] _values;
    private readonly byte[] _emulated;
    private readonly byte[] _writable;

    /// <param name="device">All of its configuration space as VFIO shows it: 256 or 4096 bytes.</param>
    /// <exception cref="ArgumentException">It has another size.</exception>
    public ConfigurationMap(ReadOnlySpan<byte> device)
    {
        if (device.Length is not (ConventionalEnd or ExpressEnd))
            throw new ArgumentException($"a configuration space of {device.Length} bytes", nameof(device));
        _values = device.ToArray();
        _emulated = new byte[device.Length];
        _writable = new byte[device.Length];
        Emulate(0, HeaderEnd);
        LinkCapabilities(device);
        if (device.Length == ExpressEnd)
            LinkExtended(device);
    }

    /// <summary>Where the list of capabilities begins; 0 for none.</summary>
    public byte First { get; private set; }

    /// <summary>Where the MSI capability is, or null.</summary>
    public int? Msi { get; private set; }

    /// <summary>Where the MSI-X capability is, or null.</summary>
    public int? Msix { get; private set; }

    /// <summary>What <see cref="Msix"/> says.</summary>
    public MsixLayout? MsixLayout { get; private set; }

    /// <summary>What emulated bits hold at first.</summary>
    public ReadOnlySpan<byte> Values => _values;

    /// <summary>Bits that the device is not asked for.</summary>
    public ReadOnlySpan<byte> Emulated => _emulated;

    /// <summary>Emulated bits that the guest can change.</summary>
    public ReadOnlySpan<byte> Writable => _writable;

    private void LinkCapabilities(ReadOnlySpan<byte> device)
    {
        if ((device[StatusRegister] & HasCapabilities) == 0)
            return;
        int pointerTo = FirstCapability;
        int at = device[FirstCapability] & ~3;
        for (int i = 0; i < MostCapabilities && at >= HeaderEnd; i++)
        {
            byte id = device[at];
            int next = device[at + 1] & ~3;
            if (Shape(device, id, at) is { } length && at + length <= ConventionalEnd)
            {
                _values[pointerTo] = (byte)at;
                pointerTo = at + 1;
                Emulate(at, 2);
            }

            at = next;
        }

        First = pointerTo == FirstCapability ? (byte)0 : _values[FirstCapability];
        if (First != 0)
            _values[pointerTo] = 0;
    }

    /// <summary>Says field by field what a capability is to the guest.</summary>
    /// <returns>Its bytes; null for one that is hidden.</returns>
    private int? Shape(ReadOnlySpan<byte> device, byte id, int at) => id switch
    {
        0x01 => PowerManagement(at),
        0x03 => 8, // vital product data
        0x05 => MessageSignalled(at),
        0x07 => 8, // PCI-X
        0x09 when at + 2 < ConventionalEnd => Math.Max(device[at + 2], (byte)3), // the vendor's own
        0x0d => 8, // the subsystem of a bridge
        0x10 => PciExpress(at),
        0x11 => MessageSignalledExtended(device, at),
        0x12 => 8, // serial ATA
        0x13 => 6, // advanced features, where VFIO carries out the reset
        _ => null, // hot-plug, AGP, enhanced allocation and whatever else belongs to the host's fabric
    };

    /// <summary>The guest sees its wishes come true, and the device stays on: its registers would be gone in D3.</summary>
    private int? PowerManagement(int at)
    {
        const int Length = 8;
        const byte NoSoftReset = 1 << 3;
        const byte PowerState = 3;
        if (at + Length > ConventionalEnd)
            return null;
        Emulate(at, Length);
        _values[at + 3] = 0; // neither wake-ups nor D1 and D2
        _values.AsSpan(at + 4, 4).Clear();
        _values[at + 4] = NoSoftReset;
        _writable[at + 4] = PowerState;
        return Length;
    }

    /// <summary>VFIO sets the device's own; the guest's goes to KVM.</summary>
    private int? MessageSignalled(int at)
    {
        const ushort Has64Bits = 1 << 7;
        const ushort HasMasks = 1 << 8;
        const ushort Changeable = 0x71; // enable, and how many
        if (Msi is not null || at + 10 > ConventionalEnd)
            return null;
        ushort control = BinaryPrimitives.ReadUInt16LittleEndian(_values.AsSpan(at + 2));
        int data = (control & Has64Bits) != 0 ? at + 12 : at + 8;
        int end = (control & HasMasks) != 0 ? data + 12 : data + 2;
        if (end > ConventionalEnd)
            return null;
        Emulate(at, end - at);
        _values.AsSpan(at + 4, end - at - 4).Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(_values.AsSpan(at + 2), (ushort)(control & ~Changeable));
        BinaryPrimitives.WriteUInt16LittleEndian(_writable.AsSpan(at + 2), Changeable);
        _writable.AsSpan(at + 4, data + 2 - at - 4).Fill(0xff);
        _writable[at + 4] = 0xfc;
        if ((control & HasMasks) != 0)
            _writable.AsSpan(data + 4, sizeof(uint)).Fill(0xff);
        Msi = at;
        return end - at;
    }

    private int? MessageSignalledExtended(ReadOnlySpan<byte> device, int at)
    {
        const int Length = 12;
        const byte EnableAndMask = 0xc0;
        const uint Bar = 7;
        if (Msix is not null || at + Length > ConventionalEnd)
            return null;
        Emulate(at, Length);
        _values[at + 3] &= unchecked((byte)~EnableAndMask);
        _writable[at + 3] = EnableAndMask;
        uint table = BinaryPrimitives.ReadUInt32LittleEndian(device[(at + 4)..]);
        uint pending = BinaryPrimitives.ReadUInt32LittleEndian(device[(at + 8)..]);
        int vectors = (BinaryPrimitives.ReadUInt16LittleEndian(device[(at + 2)..]) & 0x7ff) + 1;
        Msix = at;
        MsixLayout = new(vectors, (int)(table & Bar), table & ~Bar, (int)(pending & Bar), pending & ~Bar);
        return Length;
    }

    /// <summary>
    /// The guest's bus has no links: an endpoint becomes one that is integrated into the root complex, with neither link
    /// nor slot (PCI Express 5.0, 7.5.3).
    /// </summary>
    private int? PciExpress(int at)
    {
        const int VersionOne = 0x14; // up to the link
        const int VersionTwo = 0x3c;
        const ushort Slot = 1 << 8;
        const int Endpoint = 0;
        const int LegacyEndpoint = 1;
        const int IntegratedEndpoint = 9;
        if (at + VersionOne > ConventionalEnd)
            return null;
        ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(_values.AsSpan(at + 2));
        int type = (flags >> 4) & 0xf;
        int length = (flags & 0xf) >= 2 ? VersionTwo : VersionOne;
        if (at + length > ConventionalEnd || type is not (Endpoint or LegacyEndpoint or IntegratedEndpoint))
            return null;
        flags = (ushort)((flags & ~(0xf0 | Slot)) | (IntegratedEndpoint << 4));
        BinaryPrimitives.WriteUInt16LittleEndian(_values.AsSpan(at + 2), flags);
        Emulate(at + 2, 2);
        Hide(at + 0x0c, 8); // link
        if (length == VersionTwo)
        {
            Hide(at + 0x14, 0x10); // slot and root
            Hide(at + 0x2c, 0x10); // the second link and slot
        }

        return length;
    }

    /// <summary>
    /// Only what tells of the device itself: access control, error reports, virtual functions, address translation and the
    /// like are the host's.
    /// </summary>
    private static bool IsForGuests(ushort extended) => extended is
        0x03 or // serial number
        0x04 or // power budget
        0x0b or // the vendor's own
        0x23; // likewise, with the vendor's name

    private void LinkExtended(ReadOnlySpan<byte> device)
    {
        int at = ConventionalEnd;
        int last = 0;
        for (int i = 0; i < MostExtendedCapabilities && at >= ConventionalEnd; i++)
        {
            uint header = BinaryPrimitives.ReadUInt32LittleEndian(device[at..]);
            int next = (int)(header >> 20) & ~3;
            if (header is 0 or uint.MaxValue)
                break;
            bool isShown = IsForGuests((ushort)header);

            // The list begins here whatever is shown: one that is hidden becomes one of no kind.
            if (isShown || at == ConventionalEnd)
            {
                if (last != 0)
                    SetExtended(last, ExtendedKind(last), at);
                SetExtended(at, isShown ? header & 0xf_ffff : NoExtendedCapability, next: 0);
                last = at;
            }

            at = next;
        }

        if (last == ConventionalEnd && ExtendedKind(last) == NoExtendedCapability)
            SetExtended(last, kind: 0, next: 0);
    }

    private uint ExtendedKind(int at) => BinaryPrimitives.ReadUInt32LittleEndian(_values.AsSpan(at)) & 0xf_ffff;

    private void SetExtended(int at, uint kind, int next)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_values.AsSpan(at), kind | ((uint)next << 20));
        Emulate(at, sizeof(uint));
    }

    private void Emulate(int at, int length) => _emulated.AsSpan(at, length).Fill(0xff);

    private void Hide(int at, int length)
    {
        Emulate(at, length);
        _values.AsSpan(at, length).Clear();
    }
}
