using System.Buffers.Binary;
using System.Collections.Immutable;
using MiniVmm.Host;
using MiniVmm.Memory;

namespace MiniVmm.Devices;

/// <summary>
/// QEMU's pc-testdev, for which x86 kernel tests are written: ports and memory that hold what is written, a port that drops
/// the translations of a page, and one for each interrupt line.
/// </summary>
internal static class PcTestDevices
{
    /// <summary>Its parts, each a window of its own.</summary>
    public static IEnumerable<DeviceDescription> Describe() =>
    [
        new("test ports", DeviceWindow.Ports(IoPorts.TestEcho, 4), _ => new EchoRegisters("test-ports", 4)),
        new("test page flush", DeviceWindow.Ports(IoPorts.TestFlush, 4), setup => new PageFlush(setup.Memory)),
        new("test interrupt lines", DeviceWindow.Ports(IoPorts.TestInterrupts, InterruptSwitches.Lines), setup =>
            new InterruptSwitches(setup.Line)),
        new("test memory", DeviceWindow.Memory(MemoryLayout.TestMemory, MemoryLayout.TestMemoryLength), _ =>
            new EchoRegisters("test-memory", (int)MemoryLayout.TestMemoryLength)),
    ];
}

/// <summary>Registers that read as written, by accesses of any size; 0 at the start.</summary>
/// <param name="stateName">What its state is called.</param>
/// <param name="length">Bytes.</param>
internal sealed class EchoRegisters(string stateName, int length) : IBusDevice, ISuspendable
{
    private readonly byte[] _bytes = new byte[length];

    public string StateName => stateName;

    public ushort StateVersion => 1;

    public void Read(ulong offset, Span<byte> data)
    {
        data.Clear();
        ReadOnlySpan<byte> rest = _bytes.AsSpan((int)offset);
        rest[..Math.Min(rest.Length, data.Length)].CopyTo(data);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        Span<byte> rest = _bytes.AsSpan((int)offset);
        data[..Math.Min(rest.Length, data.Length)].CopyTo(rest);
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteBytes(_bytes);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ReadOnlySpan<byte> bytes = reader.ReadBytes(length);
        reader.Check(bytes.Length == length, $"{bytes.Length} bytes of registers");
        bytes.CopyTo(_bytes);
    }
}

/// <summary>
/// A guest-physical address written here loses its translations in KVM, as if the host had moved the page: the next access
/// faults on the host. An address without RAM is ignored.
/// </summary>
internal sealed unsafe class PageFlush(GuestMemory memory) : IBusDevice
{
    private const int PageSize = 4096;

    public void Read(ulong offset, Span<byte> data) => data.Clear();

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        Span<byte> value = stackalloc byte[8];
        value.Clear();
        data.CopyTo(value);
        ulong page = BinaryPrimitives.ReadUInt64LittleEndian(value) & ~(PageSize - 1UL);
        if (memory.TryResolve(page, PageSize, out byte* host))
            PageTranslations.Drop(host, PageSize);
    }
}

/// <summary>A port for each interrupt line, 0 to 23: a write of 0 lowers it, any other raises it.</summary>
internal sealed class InterruptSwitches : IBusDevice
{
    public const int Lines = 24;

    private readonly ImmutableArray<ILevelInterrupt> _lines;

    /// <param name="line">Each line, made once.</param>
    public InterruptSwitches(Func<byte, ILevelInterrupt> line) =>
        _lines = [.. Enumerable.Range(0, Lines).Select(number => line((byte)number))];

    public void Read(ulong offset, Span<byte> data) => data.Clear();

    public void Write(ulong offset, ReadOnlySpan<byte> data) =>
        _lines[(int)offset].Set(data.ContainsAnyExcept((byte)0));
}
