using System.Buffers.Binary;
using MiniVmm.Pci;

namespace MiniVmm.Passthrough;

/// <summary>A BAR as the guest is to see it.</summary>
/// <param name="Region">What it is of the device.</param>
/// <param name="IsPorts">I/O ports rather than memory.</param>
/// <param name="Window">Serves what is not mapped.</param>
/// <param name="Mapped">What the guest reaches itself.</param>
internal sealed record ShownBar(VfioRegion Region, bool IsPorts, BarWindow Window, IReadOnlyList<RegionArea> Mapped);

/// <summary>What a passed function is put between. Lines come with the eventfds that VFIO signals.</summary>
internal sealed record PassthroughSurroundings
{
    /// <summary>The bus' addresses.</summary>
    public required PciDecoding Decoding { get; init; }

    /// <summary>Makes what shows a BAR to the guest.</summary>
    public required Func<ShownBar, IPciBarTarget> ShowBar { get; init; }

    /// <summary>Makes a line for a message, and tells its eventfd; the function's from here on.</summary>
    public required Func<(IMessageLine Line, int EventFd)> MakeLine { get; init; }

    /// <summary>Asserts its INTA.</summary>
    public required int IntxAssert { get; init; }

    /// <summary>Signalled when INTA has fallen.</summary>
    public required int IntxEnded { get; init; }

    /// <summary>The line of the 8259s that INTA is wired to.</summary>
    public required byte IsaLine { get; init; }

    /// <summary>Takes a line where the device does not get what the guest asks for.</summary>
    public required Action<string> Warn { get; init; }
}

/// <summary>
/// A function of the host on the guest's bus: a header and BARs of the guest's own, which can be moved at any time, and
/// behind them what <see cref="ConfigurationMap"/> shows of the device. The device itself decodes its host addresses all the
/// time, whatever the guest's command register says, so that nothing that is mapped ever goes.
/// </summary>
internal sealed class PassthroughFunction : IPciFunction, GuestConfiguration.IDevice, IDisposable
{
    private const PciCommand Decodes = PciCommand.Ports | PciCommand.Memory;
    private const int AddressOffset = 4; // of MSI's capability
    private readonly VfioDevice _device;
    private readonly ConfigurationMap _map;
    private readonly GuestConfiguration _configuration;
    private readonly VfioInterrupts _interrupts;
    private readonly PassthroughSurroundings _surroundings;
    private readonly MsixTable? _msix;
    private readonly int[] _msixEvents = [];
    private readonly MsiVectors? _msi;
    private readonly int[] _msiEvents = [];

    /// <summary>Puts a device that has been reset on the guest's bus.</summary>
    public PassthroughFunction(string name, VfioDevice device, PassthroughSurroundings surroundings)
    {
        Name = name;
        _device = device;
        _surroundings = surroundings;
        _interrupts = new(device, surroundings.Warn);
        try
        {
            byte[] space = new byte[device.Configuration.Size >= 0x1000 ? 0x1000 : 0x100];
            device.Read(device.Configuration, 0, space);
            _map = new(space);
            _configuration = new(_map, this);
            if (_map.MsixLayout is { } layout && device.Msix.Count > 0)
            {
                (IMessageLine[] lines, _msixEvents) = MakeLines(layout.Vectors);
                _msix = new MsixTable(lines);
            }

            if (_map.Msi is not null && device.Msi.Count > 0)
            {
                (IMessageLine[] lines, _msiEvents) = MakeLines((int)Math.Min(device.Msi.Count, 32));
                _msi = new MsiVectors(lines);
            }

            Header = new PciEndpoint(name, Identity(space), surroundings.Decoding, [.. Bars(space)])
            {
                CommandChanged = _ => SetCommand(),
                WantsInterrupt = () => (ReadDevice(PciRegister.Status) & (byte)PciStatus.Interrupt) != 0,
            };
            if (device.Intx.Count > 0)
                Header.SetInterrupt(pin: 1, surroundings.IsaLine);
            SetCommand();
            UpdateInterrupts();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Name { get; }

    /// <summary>The header, whose BARs are to be assigned.</summary>
    public PciEndpoint Header { get; }

    private bool IsMsixEnabled => _msix is not null && (_configuration.Shadow[_map.Msix!.Value + 3] & 0x80) != 0;

    private bool IsMsiEnabled => _msi is not null && (_configuration.Shadow[_map.Msi!.Value + 2] & 1) != 0;

    public void ReadConfiguration(int register, Span<byte> data)
    {
        if (register >= PciRegister.HeaderEnd)
        {
            ShowPending(register, data.Length);
            _configuration.Read(register, data);
            return;
        }

        Header.ReadConfiguration(register, data);
        int first = PciRegister.Capabilities - register;
        if (first >= 0 && first < data.Length)
            data[first] = _map.First;
        int status = PciRegister.Status - register;
        if (status >= 0 && status < data.Length && _map.First != 0)
            data[status] |= (byte)PciStatus.Capabilities;
    }

    public void WriteConfiguration(int register, ReadOnlySpan<byte> data)
    {
        if (register < PciRegister.HeaderEnd)
        {
            Header.WriteConfiguration(register, data);
            return;
        }

        _configuration.Write(register, data);
        if (Touches(register, data.Length, _map.Msi, 24) || Touches(register, data.Length, _map.Msix, 12))
            UpdateInterrupts();
    }

    public void Decode() => Header.Decode();

    void GuestConfiguration.IDevice.Read(int register, Span<byte> data) =>
        _device.Read(_device.Configuration, (ulong)register, data);

    void GuestConfiguration.IDevice.Write(int register, ReadOnlySpan<byte> data) =>
        _device.Write(_device.Configuration, (ulong)register, data);

    /// <summary>Takes the device its interrupts; the guest does not run any more.</summary>
    public void Dispose()
    {
        _interrupts.TurnOff();
        _msix?.Dispose();
        _msi?.Dispose();
    }

    private static PciIdentity Identity(ReadOnlySpan<byte> space) => new(
        BinaryPrimitives.ReadUInt16LittleEndian(space[PciRegister.Vendor..]),
        BinaryPrimitives.ReadUInt16LittleEndian(space[PciRegister.Device..]),
        BinaryPrimitives.ReadUInt32LittleEndian(space[PciRegister.Revision..]) >> 8)
    {
        Revision = space[PciRegister.Revision],
        SubsystemVendor = BinaryPrimitives.ReadUInt16LittleEndian(space[PciRegister.SubsystemVendor..]),
        Subsystem = BinaryPrimitives.ReadUInt16LittleEndian(space[PciRegister.Subsystem..]),
    };

    private List<PciBar> Bars(byte[] space)
    {
        const byte Ports = 1, Is64Bit = 4, Prefetchable = 8;
        List<PciBar> bars = [];
        foreach (VfioRegion region in _device.Bars)
        {
            if (region.Size == 0)
                continue;
            byte low = space[PciRegister.Bars + ((int)region.Index * sizeof(uint))];
            PciBarKind kind = (low & Ports) != 0 ? PciBarKind.Ports
                : (low & Is64Bit) == 0 ? PciBarKind.Memory32
                : (low & Prefetchable) != 0 ? PciBarKind.Prefetchable64
                : PciBarKind.Memory64;
            MsixLayout? layout = _msix is null ? null : _map.MsixLayout;
            IReadOnlyList<RegionArea> mapped =
                kind == PciBarKind.Ports ? [] : BarLayout.Mapped(region, BarLayout.Trapped((int)region.Index, layout));
            BarWindow window = new(_device, region, layout, _msix);
            ShownBar shown = new(region, kind == PciBarKind.Ports, window, mapped);
            bars.Add(new PciBar((int)region.Index, kind, region.Size, _surroundings.ShowBar(shown)));
        }

        return bars;
    }

    private (IMessageLine[] Lines, int[] EventFds) MakeLines(int count)
    {
        (IMessageLine Line, int EventFd)[] lines = [.. Enumerable.Range(0, count).Select(_ => _surroundings.MakeLine())];
        return ([.. lines.Select(line => line.Line)], [.. lines.Select(line => line.EventFd)]);
    }

    /// <summary>The guest says whether the device may do DMA and raise INTx; that it decodes is ours to say.</summary>
    private void SetCommand()
    {
        Span<byte> command = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(command, (ushort)(Header.Command | Decodes));
        _device.Write(_device.Configuration, PciRegister.Command, command);
    }

    private byte ReadDevice(int register)
    {
        Span<byte> value = stackalloc byte[1];
        _device.Read(_device.Configuration, (ulong)register, value);
        return value[0];
    }

    /// <summary>Has the device raise the kind of interrupt that the guest has switched on.</summary>
    private void UpdateInterrupts()
    {
        bool masked = _msix is not null && (_configuration.Shadow[_map.Msix!.Value + 3] & 0x40) != 0;
        if (!IsMsixEnabled)
            _msix?.SetControl(enabled: false, masked);
        if (!IsMsiEnabled || IsMsixEnabled)
            _msi?.Set(0, 0, 0, 0);
        if (IsMsixEnabled)
        {
            _interrupts.UseMessages(_device.Msix, _msixEvents);
            _msix!.SetControl(enabled: true, masked);
        }
        else if (IsMsiEnabled)
        {
            SetMsi();
        }
        else
        {
            _interrupts.UseIntx(_surroundings.IntxAssert, _surroundings.IntxEnded);
        }
    }

    private void SetMsi()
    {
        ReadOnlySpan<byte> capability = _configuration.Shadow[_map.Msi!.Value..];
        int data = DataOffset(capability);
        ulong address = BinaryPrimitives.ReadUInt32LittleEndian(capability[AddressOffset..]);
        if (data > 8)
            address |= (ulong)BinaryPrimitives.ReadUInt32LittleEndian(capability[8..]) << 32;
        uint masks = HasMasks(capability) ? BinaryPrimitives.ReadUInt32LittleEndian(capability[(data + 4)..]) : 0;
        int count = Math.Min(1 << ((capability[2] >> 4) & 7), _msiEvents.Length);
        _interrupts.UseMessages(_device.Msi, _msiEvents.AsSpan(0, count));
        _msi!.Set(count, address, BinaryPrimitives.ReadUInt16LittleEndian(capability[data..]), masks);
    }

    /// <summary>MSI's pending bits are looked up when they are read.</summary>
    private void ShowPending(int register, int length)
    {
        if (_msi is null)
            return;
        int at = _map.Msi!.Value;
        ReadOnlySpan<byte> capability = _configuration.Shadow[at..];
        int pending = at + DataOffset(capability) + 8;
        if (HasMasks(capability) && register < pending + sizeof(uint) && register + length > pending)
            _configuration.Set(pending, _msi.Pending);
    }

    private static bool Touches(int register, int count, int? capability, int length) =>
        capability is { } at && register < at + length && register + count > at;

    private static int DataOffset(ReadOnlySpan<byte> capability) => (capability[2] & 0x80) != 0 ? 12 : 8;

    private static bool HasMasks(ReadOnlySpan<byte> capability) => (capability[3] & 1) != 0;
}
