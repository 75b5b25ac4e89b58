using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Pci;

/// <summary>
/// QEMU's pci-testdev (docs/specs/pci-testdev.rst), by which kernels and test suites try accesses to a device: a BAR in
/// memory and one of ports, each with tests that count the writes to one of their addresses.
/// </summary>
internal static class PciTestDevice
{
    private const int MemoryOffset = 2048;
    private const int PortOffset = 128;
    private const string Name = "PCI test device";

    /// <summary>Makes it; its BARs are still to be assigned.</summary>
    /// <param name="decoding">The bus'.</param>
    /// <param name="memory">Where the memory BAR is decoded.</param>
    /// <param name="ports">Where the other one is.</param>
    public static (PciEndpoint Endpoint, IReadOnlyList<ISuspendable> Tests) Create(PciDecoding decoding, Bus memory, Bus ports)
    {
        PciTestRegisters mmio = new("mmio", MemoryOffset);
        PciTestRegisters portIo = new("portio", PortOffset);
        PciEndpoint endpoint = new(
            Name,
            new PciIdentity(0x1b36, 0x0005, 0x00ff00),
            decoding,
            new PciBar(0, PciBarKind.Memory32, 2 * MemoryOffset, new BusWindow(memory, mmio, Name, 2 * MemoryOffset)),
            new PciBar(1, PciBarKind.Ports, 2 * PortOffset, new BusWindow(ports, portIo, Name, 2 * PortOffset)));
        return (endpoint, [mmio, portIo]);
    }
}

/// <summary>The registers in one BAR: a header that describes the test that byte 0 has chosen, and the addresses to write.</summary>
/// <param name="region">How its tests are called: "mmio" or "portio".</param>
/// <param name="first">Offset of the first test's address, behind the header.</param>
internal sealed class PciTestRegisters(string region, int first) : IBusDevice, ISuspendable
{
    private const int Width = 1;
    private const int OffsetField = 4;
    private const int DataField = 8;
    private const int CountField = 12;
    private const int NameField = 16;
    private const byte Match = 0xfa;
    private const byte NoMatch = 0xce;
    private const int HeaderLength = 48;
    private static readonly string[] Tests = ["no-eventfd", "wildcard-eventfd", "datamatch-eventfd"];

    private readonly byte[] _header = new byte[HeaderLength]; // all 0 while no test is chosen
    private readonly Lock _lock = new();
    private int _test = -1;
    private uint _count;

    public string StateName => $"pci-test-{region}";

    public ushort StateVersion => 1;

    public void Read(ulong offset, Span<byte> data)
    {
        data.Clear();
        lock (_lock)
        {
            if (offset + (ulong)data.Length > HeaderLength)
                return;
            BinaryPrimitives.WriteUInt32LittleEndian(_header.AsSpan(CountField), _test < 0 ? 0 : _count);
            _header.AsSpan((int)offset, data.Length).CopyTo(data);
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        lock (_lock)
        {
            if (offset == 0)
                Choose(data[0] < Tests.Length ? data[0] : -1);
            else if (_test >= 0 && offset == (ulong)Offset(_test) && (!Matches(_test) || data is [Match]))
                _count++;
        }
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteByte((byte)(_test + 1));
        writer.WriteUInt32(_count);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        int test = reader.ReadByte() - 1;
        uint count = reader.ReadUInt32();
        reader.Check(test < Tests.Length, $"test {test}");
        Choose(test);
        _count = count;
    }

    private int Offset(int test) => first + (test * Width);

    private static bool Matches(int test) => test == 2;

    private void Choose(int test)
    {
        _test = test;
        _count = 0;
        Array.Clear(_header);
        if (test < 0)
            return;
        _header[0] = (byte)test;
        _header[1] = Width;
        BinaryPrimitives.WriteInt32LittleEndian(_header.AsSpan(OffsetField), Offset(test));
        _header[DataField] = Matches(test) ? Match : NoMatch;

        // Letter by letter: a vCPU's thread makes no strings.
        int at = NameField;
        foreach (char letter in region)
            _header[at++] = (byte)letter;
        _header[at++] = (byte)'-';
        foreach (char letter in Tests[test])
            _header[at++] = (byte)letter;
    }
}
