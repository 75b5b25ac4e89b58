using System.Globalization;
using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Tests.Pci;

namespace MiniVmm.Tests.Devices.State;

/// <summary>A function of the PCI bus, whose configuration space a guest writes by chance.</summary>
internal sealed class PciSubject : StateSubject
{
    private const int Steps = 200;
    private readonly FakeTarget[] _targets = [new(), new()];
    private readonly PciBus _bus;
    private readonly PciSpace _space;
    private readonly PciEndpoint _endpoint;

    public PciSubject()
    {
        PciDecoding decoding = new(PciWindows.Above(MemoryLayout.GiB));
        _endpoint = new PciEndpoint(
            "device",
            new(0x1234, 0x5678, 0xff0000),
            decoding,
            new PciBar(0, PciBarKind.Memory32, 0x1000, _targets[0]),
            new PciBar(2, PciBarKind.Memory64, 0x4000, _targets[1]));
        _endpoint.Add(new MsixCapability(new MsixTable([new FakeMessageLine()]), 0));
        _endpoint.SetInterrupt(1, 10);
        _bus = new PciBus(decoding);
        _bus.Add(new(1, 0), _endpoint);
        _space = new PciSpace(_bus, new PciSlot(1, 0).Number);
    }

    public override ISuspendable Device => _endpoint;

    public override void Prepare(Random random) => Use(random);

    public override IReadOnlyList<string> Use(Random random)
    {
        List<string> seen = [];
        for (int i = 0; i < Steps; i++)
        {
            int register = random.Next(3) == 0 ? random.Next(0x60) & ~3 : 0x4 + (4 * random.Next(6));
            uint value = random.Next(2) == 0 ? (uint)random.NextInt64() : (uint)MemoryLayout.PciMemory + ((uint)random.Next(16) << 14);
            if (random.Next(2) == 0)
                _space.Write32(register, value);
            seen.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"0x{register:x}: 0x{_space.Read32(register):x}, {_targets[0].At:x} {_targets[1].At:x}"));
        }

        return seen;
    }

    public override StateSubject Another() => new PciSubject();

    public override void Dispose()
    {
        // Nothing of the host's.
    }
}
