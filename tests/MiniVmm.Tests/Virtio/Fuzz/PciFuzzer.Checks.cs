using System.Buffers.Binary;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Tests.Pci;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>What is looked at while a bus is fuzzed.</summary>
internal sealed partial class PciFuzzer
{
    private const uint Apics = 0xfee;
    private readonly Dictionary<FuzzedFunction, Past> _past = [];

    /// <summary>What was so before a step.</summary>
    private sealed record Past(byte[] Constant, bool Enabled, Vector[] Vectors);

    private sealed record Vector(bool Connected, (ulong Address, uint Data) Message, bool Pending, int Sent);

    private void Check()
    {
        CheckDecoding();
        foreach (FuzzedFunction function in _bus.Functions)
        {
            if (!Constant(function).SequenceEqual(_past[function].Constant))
                throw new FuzzException($"{function.Endpoint.Name}: a register changed that cannot be written");
            CheckMessages(function);
        }

        // A function reaches memory as a bus master only.
        bool silent = _bus.Functions.All(function => function.Threads?.IsParked != false);
        if (_memory.Compare(everythingAllowed: !silent) is { } wrong)
            throw new FuzzException(wrong);
        if (_host.Wrong is not null)
            throw new FuzzException(_host.Wrong);
        Remember();
    }

    private void Remember()
    {
        foreach (FuzzedFunction function in _bus.Functions)
            _past[function] = new(Constant(function), function.Messages?.IsEnabled == true, [.. Vectors(function)]);
    }

    /// <summary>Each BAR is decoded where its register says, if it is switched on, inside of a window, and of two only one.</summary>
    private void CheckDecoding()
    {
        PciWindows windows = _bus.Decoding.Windows;
        List<(bool IsPort, GuestRange Range)> decoded = [];
        List<(bool IsPort, GuestRange Range)> left = [];
        int shown = 0;
        foreach (FuzzedFunction function in _bus.Functions)
        {
            foreach (PciBar bar in function.Endpoint.Bars)
            {
                ulong? wanted = Wanted(function, bar);
                if (bar.MappedAt is { } mapped)
                {
                    if (mapped != wanted || (bar.Target as FakeTarget)?.At is { } at && at != mapped)
                        throw new FuzzException($"{function.Endpoint.Name}: BAR {bar.Index} is decoded at 0x{mapped:x}, not 0x{wanted:x}");
                    decoded.Add((bar.IsPort, bar.At(mapped)));
                    shown += IsUnseen(bar) ? 0 : 1;
                    _counts.Starts += mapped == wanted ? 1 : 0;
                }
                else if (wanted is { } address && address + bar.Size > address)
                {
                    left.Add((bar.IsPort, bar.At(address)));
                }
            }
        }

        for (int i = 0; i < decoded.Count; i++)
        {
            if (!IsPassed(windows, decoded[i]))
                throw new FuzzException($"{decoded[i]} is in no window");
            if (decoded.FindIndex(i + 1, other => other.IsPort == decoded[i].IsPort && other.Range.Overlaps(decoded[i].Range)) >= 0)
                throw new FuzzException($"{decoded[i]} is decoded by two");
        }

        foreach ((bool isPort, GuestRange range) in left)
        {
            if (IsPassed(windows, (isPort, range)) && !decoded.Exists(each => each.IsPort == isPort && each.Range.Overlaps(range)))
                throw new FuzzException($"nobody decodes {range}, though a BAR says so");
        }

        if (_bus.Memory.Windows.Count() + _bus.Ports.Windows.Count() != shown)
            throw new FuzzException("a window is left of a BAR that is decoded no more");
    }

    private static bool IsPassed(PciWindows windows, (bool IsPort, GuestRange Range) decoded) => decoded.IsPort
        ? windows.Ports.Contains(decoded.Range.Start, decoded.Range.Length)
        : windows.Memory.Contains(decoded.Range.Start, decoded.Range.Length)
            || windows.HighMemory.Contains(decoded.Range.Start, decoded.Range.Length);

    /// <summary>Where the registers say that a BAR is.</summary>
    private ulong? Wanted(FuzzedFunction function, PciBar bar)
    {
        if ((ReadConfiguration(function, 4, 2) & (bar.IsPort ? 1 : 2)) == 0)
            return null;
        ulong address = ReadConfiguration(function, bar.Register, 4) & (bar.IsPort ? ~3u : ~0xfu);
        return bar.Is64Bit ? address | ((ulong)ReadConfiguration(function, bar.Register + 4, 4) << 32) : address;
    }

    /// <summary>One that no bus knows of.</summary>
    private static bool IsUnseen(PciBar bar) => bar.Target is FakeTarget;

    private void CheckMessages(FuzzedFunction function)
    {
        Past past = _past[function];
        int at = -1;
        foreach (Vector now in Vectors(function))
        {
            at++;
            Vector before = past.Vectors[at];
            FakeMessageLine line = function.Lines[at];
            string name = $"{function.Endpoint.Name}: vector {at}";
            if (line.IsConnected != now.Connected)
                throw new FuzzException($"{name} is {(now.Connected ? "not " : "")}connected");
            _counts.Broken += now.Pending ? 1 : 0;
            for (int i = before.Sent; i < line.Sent.Count; i++)
            {
                bool allowed = (before.Connected && line.Sent[i] == before.Message) || (now.Connected && line.Sent[i] == now.Message);
                if (!allowed && function.Virtio is null)
                    throw new FuzzException($"{name} sent {line.Sent[i]}, which nobody asked for");
            }

            if (function.Virtio is not null)
                continue;
            int sent = before is { Pending: true, Connected: false } && now.Connected ? 1 : 0;
            if (line.Sent.Count - before.Sent != sent)
                throw new FuzzException($"{name} sent {line.Sent.Count - before.Sent} messages, and not {sent}");
            bool forgotten = past.Enabled && !function.Messages!.IsEnabled;
            if (now.Pending != (before.Pending && sent == 0 && !forgotten))
                throw new FuzzException($"{name} is {(now.Pending ? "" : "not ")}pending");
        }
    }

    /// <summary>A vector has been triggered, and that is all that happened to it.</summary>
    private void Triggered(FuzzedFunction function, int vector, bool connected, (ulong, uint) message)
    {
        Vector before = _past[function].Vectors[vector];
        FakeMessageLine line = function.Lines[vector];
        if (connected ? line.Sent.Count != before.Sent + 1 || line.Sent[^1] != message : !line.IsPending)
            throw new FuzzException($"{function.Endpoint.Name}: vector {vector} is not {(connected ? "sent" : "pending")}");
        _counts.Completed += connected ? 1 : 0;
        _past[function].Vectors[vector] = before with { Sent = line.Sent.Count, Pending = before.Pending || !connected };
    }

    private IEnumerable<Vector> Vectors(FuzzedFunction function)
    {
        if (function.Messages is not { } messages)
            yield break;
        byte[] pending = new byte[8];
        messages.Read(messages.PendingOffset, pending);
        ulong bits = BinaryPrimitives.ReadUInt64LittleEndian(pending);
        if (bits >> messages.Count != 0)
            throw new FuzzException("a vector is pending that there is not");
        for (int vector = 0; vector < messages.Count; vector++)
        {
            (bool connected, (ulong, uint) message) = Expect(function, vector);
            yield return new(connected, message, ((bits >> vector) & 1) != 0, function.Lines[vector].Sent.Count);
        }
    }

    /// <summary>By the capability and the table: whether a vector's message can be sent, and what it is.</summary>
    private (bool Connected, (ulong Address, uint Data) Message) Expect(FuzzedFunction function, int vector)
    {
        byte[] entry = new byte[16];
        function.Messages!.Read((ulong)vector * 16, entry);
        uint control = ReadConfiguration(function, CapabilityOf(function, 0x11) + 2, 2);
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(entry);
        return ((control & 0xc000) == 0x8000 && entry[12] == 0 && address >> 20 == Apics,
            (address, BinaryPrimitives.ReadUInt32LittleEndian(entry.AsSpan(8))));
    }

    private void Expect(FuzzedFunction function, string what, uint offset, uint expected, int width)
    {
        if (ReadRegister(function, offset, width) is var read && read != expected)
            throw new FuzzException($"{what}: 0x{read:x}, not 0x{expected:x}");
    }

    /// <summary>A function's configuration space without what can be written (PCI Local Bus 3.0, 6.1 and 6.8.2; virtio 1.2, 4.1.4.9).</summary>
    private byte[] Constant(FuzzedFunction function)
    {
        byte[] bytes = Configuration(function);
        bytes.AsSpan(4, 2).Clear();
        bytes[6] &= 0xf7;
        bytes[0x0c] = bytes[0x3c] = 0;
        foreach (PciBar bar in function.Endpoint.Bars)
        {
            bytes[bar.Register] &= 0xf;
            bytes.AsSpan(bar.Register + 1, bar.RegisterLength - 1).Clear();
        }

        if (function.Messages is not null)
            bytes[CapabilityOf(function, 0x11) + 3] &= 0x3f;
        if (Access(function) is { } access)
        {
            bytes[access + 4] = 0;
            bytes.AsSpan(access + 8, 12).Clear();
        }

        return bytes;
    }

    /// <summary>All that a driver can see without changing it.</summary>
    private byte[] Look(FuzzedFunction function)
    {
        List<byte> seen = [.. Configuration(function)];
        seen[6] &= 0xf7;
        if (Access(function) is { } access)
            seen[access + 16] = seen[access + 17] = seen[access + 18] = seen[access + 19] = 0;
        foreach (PciBar bar in function.Endpoint.Bars)
            seen.AddRange(BitConverter.GetBytes(bar.MappedAt ?? ulong.MaxValue));
        if (function.Messages is { } messages)
        {
            byte[] table = new byte[16 * messages.Count];
            messages.Read(0, table);
            seen.AddRange(table);
        }

        return [.. seen];
    }

    private byte[] Configuration(FuzzedFunction function)
    {
        int? access = Access(function);
        byte[] bytes = new byte[PciRegister.End];
        for (int register = 0; register < bytes.Length; register += 4)
        {
            if (register != access + 16)
                _bus.Bus.Read((uint)function.Slot.Number, register, bytes.AsSpan(register, 4));
        }

        return bytes;
    }

    /// <summary>Reads by both mechanisms, which must show the same; nothing of the buffer may stay.</summary>
    private void AccessConfiguration(FuzzedFunction function, int register)
    {
        register &= 0xfc;
        if (register == Access(function) + 16)
            return;
        int lane = _input.Below(4);
        int width = _input.Pick(1, 2, 4);
        if (lane + width > 4)
            lane = 0;
        if (_input.Chance(96))
            WriteConfiguration(function, register + lane, _input.UInt32(), width);
        Span<byte> address = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(address, 0x8000_0000 | ((uint)function.Slot.Number << 8) | (uint)register);
        _bus.ByPorts.Write(0, address);
        Span<byte> first = stackalloc byte[width];
        Span<byte> second = stackalloc byte[width];
        first.Fill(0xcc);
        second.Fill(0x33);
        _bus.ByPorts.Read(4 + (ulong)lane, first);
        _bus.ByMemory.Read(((ulong)function.Slot.Number << 12) + (ulong)(register + lane), second);
        if (!first.SequenceEqual(second))
            throw new FuzzException($"{function.Endpoint.Name}: register 0x{register + lane:x} is not the same in memory and at the ports");
    }

    private uint ReadConfiguration(FuzzedFunction function, int register, int width)
    {
        Span<byte> data = stackalloc byte[4];
        data.Clear();
        _bus.Bus.Read((uint)function.Slot.Number, register, data[..width]);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private void WriteConfiguration(FuzzedFunction function, int register, uint value, int width)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        _bus.Bus.Write((uint)function.Slot.Number, register, data[..width]);
    }

    /// <summary>A virtio register, in memory where the BAR is decoded, or through configuration space.</summary>
    private uint ReadRegister(FuzzedFunction function, uint offset, int width)
    {
        Span<byte> data = stackalloc byte[4];
        data.Clear();
        if (RegistersOf(function) is { } address && _input.Chance(128))
            _bus.Memory.Read(address + offset, data[..width]);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(data, ReadConfiguration(function, Aim(function, offset, width), width));
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private void WriteRegister(FuzzedFunction function, uint offset, uint value, int width)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        if (RegistersOf(function) is { } address && _input.Chance(128))
            _bus.Memory.Write(address + offset, data[..width]);
        else
            WriteConfiguration(function, Aim(function, offset, width), value, width);
    }

    private static ulong? RegistersOf(FuzzedFunction function) =>
        function.Endpoint.Bars.Single(bar => bar.Index == FuzzedBus.RegistersBar).MappedAt;

    /// <summary>Aims the window in configuration space, and says where it is.</summary>
    private int Aim(FuzzedFunction function, uint offset, int width)
    {
        int access = Access(function)!.Value;
        WriteConfiguration(function, access + 4, FuzzedBus.RegistersBar, 1);
        WriteConfiguration(function, access + 8, offset, 4);
        WriteConfiguration(function, access + 12, (uint)width, 4);
        return access + 16;
    }

    /// <summary>virtio's window in configuration space; null for other functions.</summary>
    private int? Access(FuzzedFunction function)
    {
        if (function.Virtio is null)
            return null;
        for (int at = (int)ReadConfiguration(function, CapabilityList, 1); ; at = (int)ReadConfiguration(function, at + 1, 1))
        {
            if (ReadConfiguration(function, at, 1) == 9 && ReadConfiguration(function, at + 3, 1) == 5)
                return at;
        }
    }

    private int CapabilityOf(FuzzedFunction function, byte id)
    {
        int at = (int)ReadConfiguration(function, CapabilityList, 1);
        while (ReadConfiguration(function, at, 1) != id)
            at = (int)ReadConfiguration(function, at + 1, 1);
        return at;
    }
}
