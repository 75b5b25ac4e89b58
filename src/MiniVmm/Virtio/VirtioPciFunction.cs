using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Pci;

namespace MiniVmm.Virtio;

/// <summary>What a virtio function is put between.</summary>
internal sealed record VirtioPciSurroundings
{
    /// <summary>The bus' addresses.</summary>
    public required PciDecoding Decoding { get; init; }

    /// <summary>Where its registers go.</summary>
    public required Bus Memory { get; init; }

    /// <summary>Guest RAM.</summary>
    public required GuestMemory Ram { get; init; }

    /// <summary>A line for each queue, and one for the configuration; the function's from here on.</summary>
    public required IMessageLine[] Messages { get; init; }

    /// <summary>Its INTA.</summary>
    public required IInterruptTrigger Line { get; init; }

    /// <summary>The line of the 8259s that INTA is wired to.</summary>
    public required byte IsaLine { get; init; }

    /// <summary>Told where the registers are, to put doorbells in front of them.</summary>
    public required IPciBarTarget Doorbells { get; init; }
}

/// <summary>
/// A virtio device as a function of the PCI bus: header, BARs and capabilities around <see cref="VirtioPci"/>. As long as
/// the driver has not made it a bus master its threads are parked, since all that they do is to read and write memory.
/// </summary>
internal sealed class VirtioPciFunction : IDisposable
{
    private const int MessagesBar = 1;
    private const int RegistersBar = 4;
    private readonly MsixTable _messages;
    private readonly VirtioPciVectors _vectors;
    private readonly VirtioPci _registers;

    /// <param name="name">For people.</param>
    /// <param name="device">The device.</param>
    /// <param name="threads">Its threads.</param>
    /// <param name="at">The rest.</param>
    public VirtioPciFunction(string name, IVirtioDevice device, IDeviceThreads threads, VirtioPciSurroundings at)
    {
        _messages = new MsixTable(at.Messages);
        _vectors = new VirtioPciVectors(device.QueueSizes.Count, _messages, at.Line);
        Transport = new VirtioTransport(device, threads, at.Ram, _vectors) { AdapterFeatures = VirtioFeatures.RingReset };
        Transport.Park();
        _registers = new VirtioPci(Transport, _vectors);
        Endpoint = new PciEndpoint(
            name,
            VirtioPciIdentity.Of(device.DeviceType),
            at.Decoding,
            new PciBar(
                MessagesBar,
                PciBarKind.Memory32,
                _messages.Length,
                new Window(at.Memory, _messages, $"{name}: MSI-X", _messages.Length)),
            new PciBar(
                RegistersBar,
                PciBarKind.Prefetchable64,
                VirtioPci.Length,
                new Window(at.Memory, _registers, name, VirtioPci.Length, at.Doorbells)))
        {
            CommandChanged = OnCommand,
            WantsInterrupt = () => WantsLine,
        };
        Endpoint.Add(new MsixCapability(_messages, MessagesBar));
        foreach (PciCapability capability in _registers.Capabilities(RegistersBar))
            Endpoint.Add(capability);
        Endpoint.SetInterrupt(pin: 1, at.IsaLine);
    }

    public PciEndpoint Endpoint { get; }

    public VirtioTransport Transport { get; }

    /// <summary>Messages before the endpoint that connects them, and both before what may send them.</summary>
    public IEnumerable<ISuspendable> Suspendable => [_messages, Endpoint, _registers];

    private bool WantsLine => Transport.InterruptCauses != 0 && !_messages.IsEnabled;

    /// <summary>The guest has ended an interrupt of the line, which has fallen.</summary>
    public void LineEnded()
    {
        if (WantsLine)
            _vectors.AssertLine();
    }

    public void Dispose() => _messages.Dispose();

    private void OnCommand(PciCommand before)
    {
        PciCommand now = Endpoint.Command;
        if (((now ^ before) & PciCommand.BusMaster) != 0)
        {
            if (now.HasFlag(PciCommand.BusMaster))
                Transport.Resume();
            else
                Transport.Park();
        }

        _vectors.LineDisabled = now.HasFlag(PciCommand.InterruptDisable);
        if (WantsLine)
            _vectors.AssertLine();
    }

    /// <summary>Registers that move with their BAR, and what goes with them.</summary>
    private sealed class Window(Bus bus, IBusDevice device, string name, ulong length, IPciBarTarget? doorbells = null)
        : IPciBarTarget
    {
        public void Map(ulong address)
        {
            bus.Add(device, name, address, length);
            doorbells?.Map(address);
        }

        public void Unmap(ulong address)
        {
            doorbells?.Unmap(address);
            bus.Remove(address);
        }
    }
}
