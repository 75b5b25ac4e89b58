using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Pci;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>
/// A guest that does anything to a PCI bus: configuration space by both mechanisms, BARs, messages, virtio registers in memory and through
/// configuration space, now and then as a driver should. After each step the bus is what its own registers say.
/// </summary>
internal sealed partial class PciFuzzer : IDisposable
{
    private const int CapabilityList = 0x34;
    private const uint Used = 0x140;
    private readonly FuzzInput _input;
    private readonly FuzzMemory _memory = new();
    private readonly FuzzHost _host;
    private readonly Func<IVirtioDevice>[] _plugs;
    private FuzzedBus _bus;
    private FuzzCounts _counts;

    private PciFuzzer(ReadOnlyMemory<byte> input)
    {
        _input = new FuzzInput(input);
        _host = new FuzzHost(_input, _memory);
        _plugs = [() => new EchoDevice(16, 8), FuzzBlocks.Plug(_host)];
        _bus = MakeBus();
        Remember();
    }

    /// <inheritdoc cref="FuzzSubject.Run"/>
    public static FuzzCounts Run(ReadOnlyMemory<byte> input, FuzzTrace trace, Func<int, bool>? handsOver)
    {
        using PciFuzzer fuzzer = new(input);
        trace.Play(fuzzer._input, handsOver, fuzzer.HandOver, () =>
        {
            fuzzer.Step();
            fuzzer.Check();
        });
        return fuzzer._counts;
    }

    public void Dispose()
    {
        Stop();
        _memory.Dispose();
    }

    private FuzzedBus MakeBus() => new(_memory.Ram, [.. _plugs.Select(plug => plug())]);

    private void Stop()
    {
        foreach (FuzzedFunction function in _bus.Functions)
            function.Virtio?.Transport.Reset();
        _bus.Dispose();
    }

    private void Step()
    {
        _counts.Steps++;
        FuzzedFunction function = _bus.Functions[_input.Below(_bus.Functions.Count)];
        switch (_input.Below(18))
        {
            case < 2:
                AccessAnything();
                break;
            case < 5:
                MoveBar(function);
                break;
            case < 7:
                WriteConfiguration(function, 4, (uint)(_input.Pick(0x7, 0x6, 0x2, 0x407, 0, _input.UInt16()) & 0xffff), 2);
                break;
            case < 9 when function.Messages is not null:
                WriteMessage(function);
                break;
            case 9 when function.Messages is not null:
                WriteConfiguration(function, CapabilityOf(function, 0x11) + 3, (uint)_input.Pick<byte>(0x80, 0x80, 0xc0, 0, _input.Byte()), 1);
                break;
            case 10 or 11 or 16 or 17 when function.Messages is { IsEnabled: true } messages && function.Virtio is null:
                int vector = _input.Below(messages.Count);
                (bool connected, (ulong, uint) message) = Expect(function, vector);
                messages.Trigger(vector);
                Triggered(function, vector, connected, message);
                break;
            case 12:
                AccessBar(function);
                break;
            case 13 when function.Virtio is not null:
                AccessRegisters(function);
                break;
            case 14 when function.Virtio is not null:
                if (function.Endpoint.Name == "virtio 42")
                    MakeRoundTrip(function);
                else
                    _host.Stir();
                break;
            default:
                AccessConfiguration(function, (_input.Chance(128) ? CapabilityList : 0) + (_input.Byte() & ~3));
                break;
        }

        Settle();
    }

    /// <summary>The devices' threads run, as far as they may.</summary>
    private void Settle()
    {
        foreach (FuzzedFunction function in _bus.Functions)
        {
            if (function.Threads is { IsParked: false } threads)
                threads.Run();
        }
    }

    /// <summary>Any access by either mechanism, also between registers, past their end, and to functions that are not there.</summary>
    private void AccessAnything()
    {
        Span<byte> data = stackalloc byte[_input.Pick(1, 2, 4, 8)];
        foreach (ref byte each in data)
            each = _input.Byte();
        bool reads = _input.Chance(128);
        if (_input.Chance(128))
        {
            ulong offset = ((ulong)_input.Pick(0, 8, 9, 16, 24, 32, _input.Byte()) << 12) + (ulong)_input.Below(0x1000);
            offset = Math.Min(offset, (ulong)(PciEcam.Length - data.Length));
            if (reads)
                _bus.ByMemory.Read(offset, data);
            else
                _bus.ByMemory.Write(offset, data);
            return;
        }

        data = data[..Math.Min(data.Length, 4)];
        ulong port = (ulong)_input.Below(PciConfiguration.Length - data.Length + 1);
        if (port < 4 && port + (ulong)data.Length > 4)
            return; // an access that is in no one device's window
        if (port == 0 && data.Length == 4)
            data[3] |= 0x80;
        if (reads)
            _bus.ByPorts.Read(port, data);
        else
            _bus.ByPorts.Write(port, data);
    }

    private void MoveBar(FuzzedFunction function)
    {
        PciWindows windows = _bus.Decoding.Windows;
        IReadOnlyList<PciBar> bars = function.Endpoint.Bars;
        if (bars.Count == 0)
            return;
        PciBar bar = bars[_input.Below(bars.Count)];
        ulong place = (ulong)_input.Below(8);
        ulong address = _input.Below(8) switch
        {
            0 => ulong.MaxValue, // as who asks for its size
            1 => _input.UInt32(),
            _ when bar.IsPort => windows.Ports.Start + (place * 0x10),
            2 or 3 when bar.Is64Bit => windows.HighMemory.Start + (place << 32),
            _ => windows.Memory.Start + (place << 12),
        };
        int offset = bar.Is64Bit && _input.Chance(64) ? 4 : 0;
        if (_input.Chance(32))
            WriteConfiguration(function, bar.Register + offset, (uint)(address >> (8 * offset)), _input.Pick(1, 2));
        else if (!bar.Is64Bit || offset != 0)
            WriteConfiguration(function, bar.Register + offset, (uint)(address >> (8 * offset)), 4);
        else
            WriteAddress(function, bar, address);
    }

    private void WriteAddress(FuzzedFunction function, PciBar bar, ulong address)
    {
        Span<byte> data = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(data, address);
        _bus.ByMemory.Write(((ulong)function.Slot.Number << 12) + (ulong)bar.Register, data);
    }

    private void WriteMessage(FuzzedFunction function)
    {
        int vector = _input.Below(function.Messages!.Count);
        ulong entry = (ulong)vector * 16;
        (ulong at, ulong value, int width) = _input.Below(6) switch
        {
            0 or 1 => (entry + 12, (ulong)_input.Pick<uint>(0, 0, 1, uint.MaxValue), 4),
            2 => (entry, (ulong)_input.Pick<uint>(0xfee0_0000, 0xfee0_1000, 0xfee0_f004, 0x1000, _input.UInt32()), 4),
            3 => (entry + 8, _input.UInt32(), 4),
            4 => (entry, 0xfee0_0000ul | ((ulong)_input.Pick<byte>(0, 0, 1) << 32), 8),
            _ => ((ulong)_input.Below((int)function.Messages.Length - 8), _input.UInt64(), _input.Pick(1, 2, 4, 8)),
        };
        Span<byte> data = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(data, value);
        function.Messages.Write(at, data[..width]);
    }

    /// <summary>The registers behind a BAR, where it is decoded.</summary>
    private void AccessBar(FuzzedFunction function)
    {
        IReadOnlyList<PciBar> bars = function.Endpoint.Bars;
        if (bars.Count == 0 || bars[_input.Below(bars.Count)] is not { MappedAt: { } address } bar || IsUnseen(bar))
            return;
        int width = _input.Pick(1, 2, 4, 8);
        ulong at = (ulong)_input.Below((int)bar.Size - width + 1);
        Bus bus = bar.IsPort ? _bus.Ports : _bus.Memory;
        Span<byte> first = stackalloc byte[width];
        foreach (ref byte each in first)
            each = _input.Byte();
        if (_input.Chance(128))
        {
            if (!bus.Write(address + at, first))
                throw new FuzzException($"{function.Endpoint.Name}: nothing takes a write at 0x{address + at:x}");
            return;
        }

        Span<byte> second = stackalloc byte[width];
        first.Fill(0xcc);
        second.Fill(0x33);
        bool decoded = bus.Read(address + at, first) && bus.Read(address + at, second);
        bool clears = function.Virtio is not null && bar.Index == FuzzedBus.RegistersBar && at is > 0xff8 and <= 0x1000;
        if (!decoded || (!clears && !first.SequenceEqual(second)))
            throw new FuzzException($"{function.Endpoint.Name}: {width} bytes at 0x{at:x} of BAR {bar.Index} are not all read");
    }

    private void AccessRegisters(FuzzedFunction function)
    {
        uint offset = _input.Pick(
            (uint)(_input.Byte() % 0x40), 0x14u, 0x1cu, 0x16u, 0x10u, 0x1au, 0x3000u + (uint)_input.Below(16), 0x2000u + _input.Byte());
        int width = _input.Pick(1, 2, 4);
        if (_input.Chance(64))
            ReadRegister(function, offset & ~3u, width);
        else
            WriteRegister(function, offset & ~(uint)(width - 1), _input.Chance(128) ? _input.Byte() : _input.UInt32(), width);
    }

    /// <summary>All of virtio's steps to a used buffer and its interrupt: whatever came before, a reset makes the device ready.</summary>
    private void MakeRoundTrip(FuzzedFunction function)
    {
        int configured = _input.Pick(0, 0, 1, 2, 3, 0xffff);
        int vector = configured < function.Messages!.Count ? configured : 0xffff;
        WriteRegister(function, 0x14, 0, 1);
        Expect(function, "status after a reset", 0x14, 0, 1);
        WriteRegister(function, 0x14, 3, 1);
        for (uint half = 0; half < 2; half++)
        {
            WriteRegister(function, 0x08, half, 4);
            WriteRegister(function, 0x0c, half, 4); // VERSION_1 alone
        }

        WriteRegister(function, 0x14, 11, 1);
        Expect(function, "status with features", 0x14, 11, 1);
        WriteRegister(function, 0x16, 0, 2);
        WriteRegister(function, 0x18, 8, 2);
        WriteRegister(function, 0x1a, (uint)configured, 2);
        Expect(function, "vector", 0x1a, (uint)vector, 2);
        for (uint at = 0x20; at < 0x38; at += 4)
            WriteRegister(function, at, at switch { 0x28 => 0x100u, 0x30 => Used, _ => 0u }, 4);
        WriteRegister(function, 0x1c, 1, 2);
        Settle();
        LayOutChain();
        WriteRegister(function, 0x14, 15, 1);
        WriteRegister(function, VirtioPci.Notify, 0, 2);
        if (function.Threads!.IsParked)
        {
            if (_memory.TryRead(Used + 2, out ushort early) && early != 0)
                throw new FuzzException("a function that is no bus master writes to memory");
            uint command = ReadConfiguration(function, 4, 2);
            WriteConfiguration(function, 4, command | 4, 2);
            if (function.Threads.IsParked)
                throw new FuzzException("a bus master is parked");
        }

        (bool connected, (ulong, uint) message) = vector == 0xffff ? default : Expect(function, vector);
        int line = function.Line!.Count;
        int sent = vector == 0xffff ? 0 : function.Lines[vector].Sent.Count;
        function.Threads.Run();
        if (!_memory.TryRead(Used + 2, out ushort used) || used != 1)
            throw new FuzzException($"{used} chains are used, and there was 1");
        _counts.Completed++;
        if (!function.Messages.IsEnabled)
        {
            bool held = (ReadConfiguration(function, 4, 2) & 0x400) != 0;
            if (function.Line.Count > line == held || (ReadConfiguration(function, 6, 2) & 8) == 0)
                throw new FuzzException($"INTx: {function.Line.Count - line} edges, and it is {(held ? "" : "not ")}held back");
            _ = ReadRegister(function, 0x1000, 1);
            if ((ReadConfiguration(function, 6, 2) & 8) != 0)
                throw new FuzzException("an interrupt that was acknowledged is still wanted");
        }
        else if (vector != 0xffff && (connected
            ? function.Lines[vector].Sent.Count != sent + 1 || function.Lines[vector].Sent[^1] != message
            : !function.Lines[vector].IsPending))
        {
            throw new FuzzException($"the message of vector {vector} is not {(connected ? "sent" : "pending")}");
        }

        // Nobody looks at the rings again, and nothing may be written to them by and by.
        WriteRegister(function, 0x14, 0, 1);
    }

    private void LayOutChain()
    {
        Span<byte> rings = stackalloc byte[0x200];
        rings.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(rings, 0x2000);
        BinaryPrimitives.WriteUInt32LittleEndian(rings[8..], 16);
        rings[12] = (byte)TestDriver.Next;
        rings[14] = 1;
        BinaryPrimitives.WriteUInt64LittleEndian(rings[16..], 0x3000);
        BinaryPrimitives.WriteUInt32LittleEndian(rings[24..], 16);
        rings[28] = (byte)TestDriver.Write;
        rings[0x102] = 1;
        _memory.Write(0, rings);
    }

    private void HandOver()
    {
        Settle();
        byte[][] seen = [.. _bus.Functions.Select(Look)];
        byte[][] states = [.. _bus.Suspendable.Select(StateWriter.Save)];
        FuzzedBus old = _bus;
        Stop();
        _bus = MakeBus();
        foreach ((ISuspendable part, byte[] state) in _bus.Suspendable.Zip(states))
            StateReader.Restore(part, state);
        for (int i = 0; i < seen.Length; i++)
        {
            byte[] shown = Look(_bus.Functions[i]);
            int same = shown.AsSpan().CommonPrefixLength(seen[i]);
            if (same < shown.Length)
                throw new FuzzException($"{old.Functions[i].Endpoint.Name} shows 0x{shown[same]:x} in place 0x{same:x} after a restore, not 0x{seen[i][same]:x}");
        }

        Settle();
        Remember();
    }
}
