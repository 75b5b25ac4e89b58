using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>What happened in a run, or in many.</summary>
public record struct FuzzCounts(long Steps, long Starts, long Completed, long Broken);

/// <summary>
/// A driver, mostly well behaved, of any device: it goes through the device's registers and through rings, with every
/// decision read from a string of bytes. After each step that lets the device run, the bytes of guest RAM that are in
/// no used ring and in no buffer that the device may write are what they were.
/// </summary>
public sealed class DeviceFuzzer : IDisposable
{
    // Room for each queue's three parts in front, then tables, then buffers.
    private const ulong QueueRoom = 0x200;
    private const ulong Tables = 0x1800;
    private const ulong Buffers = 0x2000;
    private static readonly byte[] NoBytes = new byte[(int)QueueRoom];
    private readonly FuzzTarget _target;
    private readonly FuzzInput _input;
    private readonly FuzzMemory _memory = new();
    private readonly IVirtioDevice _device;
    private readonly RegisterDriver _driver;
    private readonly FuzzRing[] _queues;
    private uint _select;
    private ulong _nextTable = Tables;
    private bool _tangled;
    private FuzzCounts _counts;

    private DeviceFuzzer(FuzzTarget target, ReadOnlyMemory<byte> input)
    {
        _target = target;
        _input = new FuzzInput(input);
        _device = target.Make(_memory.Ram);
        _driver = new RegisterDriver(_device, _memory.Ram);
        _queues = [.. _device.QueueSizes.Select(size => new FuzzRing(_memory, size))];
    }

    /// <summary>Plays a string of bytes to its end.</summary>
    /// <exception cref="Exception">Whatever the device throws, or what it did wrong.</exception>
    public static FuzzCounts Run(FuzzTarget target, ReadOnlyMemory<byte> input)
    {
        using DeviceFuzzer fuzzer = new(target, input);
        fuzzer.Start();
        while (!fuzzer._input.IsEmpty)
            fuzzer.Step();
        fuzzer._driver.Registers.Stop();
        fuzzer.Settle();
        return fuzzer._counts;
    }

    public void Dispose()
    {
        _driver.Dispose();
        _memory.Dispose();
    }

    private void Step()
    {
        _counts.Steps++;
        switch (_input.Below(32))
        {
            case < 10:
                AddChain(_queues[_input.Below(_queues.Length)], _input.Chance(40));
                break;
            case < 17:
                Kick(_input.Below(_queues.Length));
                break;
            case < 19:
                AccessConfiguration();
                break;
            case 19:
                Settle(() => _driver.Threads.Loops[_input.Below(_driver.Threads.Loops.Count)].Elapse());
                break;
            case 20:
                Settle(() => _driver.Threads.Loops[_input.Below(_driver.Threads.Loops.Count)].Poll(0));
                break;
            case < 23:
                ReadSomething();
                break;
            case 23:
                WriteSomething();
                break;
            case 24:
                Scribble();
                break;
            case 25:
                BreakRing(_queues[_input.Below(_queues.Length)]);
                break;
            case 26:
                Write(0x64, _input.Byte());
                break;
            case 27 when _input.Chance(64):
                Write(0x70, 0);
                break;
            default:
                // A device that is broken, or not started, is of no more use.
                if ((_driver.Status & (VirtioStatus.NeedsReset | VirtioStatus.DriverOk)) != VirtioStatus.DriverOk)
                    Start();
                else
                    Kick(_input.Below(_queues.Length));
                break;
        }
    }

    /// <summary>The steps of 3.1.1, now and then with one left out or done badly.</summary>
    private void Start()
    {
        Write(0x70, 0);
        Write(0x70, 1);
        Write(0x70, 3);
        ulong wanted = _input.Pick(
            ulong.MaxValue, ulong.MaxValue & ~(ulong)VirtioFeatures.EventIndex, (ulong)VirtioFeatures.Version1, 0ul);
        if (wanted == 0)
            wanted = _input.UInt64() | (ulong)VirtioFeatures.Version1;
        wanted &= _driver.Offered;
        if (_input.Chance(4))
            wanted = _input.UInt64();
        Write(0x24, 0);
        Write(0x20, (uint)wanted);
        Write(0x24, 1);
        Write(0x20, (uint)(wanted >> 32));
        Write(0x70, 11);
        for (uint i = 0; i < _queues.Length; i++)
        {
            if (_input.Chance(6))
                continue;
            Write(0x30, i);
            ushort size = (ushort)Math.Min(_driver.Read(0x34), _input.Pick(8u, 16u, 4u, 2u, 1u, 16u, 8u, 8u));
            ulong at = QueueRoom * i;
            Write(0x38, _input.Chance(2) ? _input.UInt32() : size);
            WriteAddress(0x80, at);
            WriteAddress(0x90, at + 0x100);
            WriteAddress(0xa0, at + 0x140);
            if (_input.Chance(3))
                WriteAddress(_input.Pick(0x80, 0x90, 0xa0), AnyAddress());
            Write(0x44, 1);

            // As a driver does with fresh rings.
            _memory.Write(at, NoBytes);
            _queues[i].Published = 0;
        }

        Write(0x70, 15);
        if (!_input.Chance(16))
            Settle(() => _driver.Threads.Run());
    }

    private void AddChain(FuzzRing queue, bool indirect)
    {
        if (!queue.IsLive)
            return;
        (byte[]? header, int most) = (_target.Header(_input), 4);
        int readable = header is null ? 0 : 1 + _input.Pick(0, 0, 1, 2);
        int writable = _input.Pick(1, 1, 2, 3, 0);
        if (_input.Chance(16))
            readable = 0;
        int count = Math.Min(readable + writable, most);
        if (count == 0 || (!_input.Chance(4) && queue.DescriptorsOut + (indirect ? 1 : count) > queue.Size))
            return;
        int first = queue.NextDescriptor % queue.Size;
        ulong table = queue.Descriptors;
        if (indirect)
        {
            if (_nextTable + (ulong)(16 * count) > Buffers)
                _nextTable = Tables;
            table = _nextTable;
            _nextTable += (ulong)(16 * count);
            uint length = (uint)(16 * count);
            WriteDescriptor(
                queue.Descriptors + (16 * (ulong)first), table, _input.Chance(4) ? _input.UInt32() : length,
                TestDriver.Indirect, 0);
        }

        for (int i = 0; i < count; i++)
        {
            int index = indirect ? i : (first + i) % queue.Size;
            bool write = i >= readable;
            (ulong address, uint size) = Piece(i == 0 ? header : null, write, i == count - 1);
            int flags = (write ? TestDriver.Write : 0) | (i < count - 1 ? TestDriver.Next : 0);
            int next = indirect ? i + 1 : (index + 1) % queue.Size;
            if (_input.Chance(2))
                flags = _input.Byte();
            if (_input.Chance(2))
                next = _input.Byte();
            WriteDescriptor(table + (16 * (ulong)index), address, size, (ushort)flags, (ushort)next);
        }

        queue.NextDescriptor = (first + (indirect ? 1 : count)) % queue.Size;
        Publish(queue, (ushort)(_input.Chance(1) ? _input.Byte() : first));
    }

    private (ulong Address, uint Length) Piece(byte[]? header, bool write, bool last)
    {
        ulong address = Buffers + (ulong)_input.Below(0x3800);
        if (_input.Chance(32))
            address = 0x8000 + (ulong)_input.Below(0x1c00);
        if (header is not null && !write)
        {
            _memory.Write(address, header);

            // Over a used ring it misleads the one who checks.
            _tangled |= _queues.Any(queue => queue.IsLive
                && address < queue.Used + 6 + (8 * (ulong)queue.Size) && queue.Used < address + (ulong)header.Length);
            return (address, _input.Chance(8) ? _input.Byte() : (uint)header.Length);
        }

        uint length = write && last && _input.Chance(128)
            ? 1
            : _input.Pick(512u, 16u, 64u, 1u, 512u, 4096u, 1536u, 12u, 8u, 32u, 100u);
        if (_input.Chance(2))
            length = _input.Pick(0u, uint.MaxValue, 0x8000_0000u, _input.UInt32());
        if (_input.Chance(2))
            address = AnyAddress();
        return (address, length);
    }

    private ulong AnyAddress() => _input.Below(5) switch
    {
        0 => _input.UInt64(),
        1 => 0x6000 - (ulong)_input.Below(64), // where the hole begins
        2 => 0xa000 - (ulong)_input.Below(64), // where RAM ends
        3 => ulong.MaxValue - _input.Byte(),
        _ => _input.UInt16(),
    };

    private void Publish(FuzzRing queue, ushort head)
    {
        _memory.Write(queue.Available + 4 + (2 * (ulong)(queue.Published % queue.Size)), Bytes(head));
        queue.Published++;
        _memory.Write(queue.Available + 2, Bytes(queue.Published));
    }

    private void Kick(int queue)
    {
        if (_input.Chance(200))
            Write(VirtioMmio.QueueNotify, (uint)queue);
        else
            _driver.Threads.Ring(queue); // by ioeventfd
        Settle(() => _driver.Threads.Run());
    }

    private void BreakRing(FuzzRing queue)
    {
        if (!queue.IsLive)
            return;
        switch (_input.Below(5))
        {
            case 0 when _input.Chance(32):
                queue.Published += _input.Byte();
                _memory.Write(queue.Available + 2, Bytes(queue.Published));
                break;
            case 1 when _input.Chance(32):
                Publish(queue, _input.UInt16());
                break;
            case 2:
                _memory.Write(queue.Available, Bytes((ushort)_input.Below(2)));
                break;
            default:
                // The used index at which to be told.
                ushort asked = (ushort)(queue.Published - 128 + _input.Byte());
                _memory.Write(queue.Available + 4 + (2 * (ulong)queue.Size), Bytes(asked));
                break;
        }
    }

    /// <summary>Anywhere but in used rings, where it would only mislead the one who checks.</summary>
    private void Scribble()
    {
        ulong address = _input.Chance(32) ? _input.UInt16() : Buffers + (ulong)_input.Below(0x4000);
        byte value = _input.Byte();
        foreach (FuzzRing queue in _queues)
        {
            if (queue.IsLive && address - queue.Used < 6 + (8 * (ulong)queue.Size))
                return;
        }

        _memory.Write(address, [value]);
    }

    private void AccessConfiguration()
    {
        Span<byte> data = stackalloc byte[_input.Pick(1, 2, 4, 8)];
        ulong offset = 0x100 + (ulong)(_input.Chance(16) ? _input.Below(0xf00 - data.Length) : _input.Below(80));
        if (_input.Chance(160))
        {
            data.Fill(0xcc);
            _driver.Registers.Read(offset, data);
            return;
        }

        foreach (ref byte each in data)
            each = _input.Byte();
        _driver.Registers.Write(offset, data);
        Settle();
    }

    private void ReadSomething()
    {
        Span<byte> data = stackalloc byte[_input.Pick(4, 4, 1, 2, 8)];
        ulong offset = (ulong)_input.Below(0x108);
        _driver.Registers.Read(data.Length == 4 ? offset & ~3UL : offset, data);
    }

    private void WriteSomething()
    {
        if (_input.Chance(64))
        {
            Span<byte> data = stackalloc byte[_input.Pick(1, 2, 8)];
            foreach (ref byte each in data)
                each = _input.Byte();
            _driver.Registers.Write((ulong)_input.Below(0x100), data);
            Settle();
            return;
        }

        int offset = _input.Pick(
            0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64, 0x70, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, 0xc0, 0xac, 0xfc);
        Write(offset, _input.Chance(128) ? _input.Byte() : _input.UInt32());
        Settle(() => _driver.Threads.Run());
    }

    private void WriteAddress(int offset, ulong address)
    {
        Write(offset, (uint)address);
        Write(offset + 4, (uint)(address >> 32));
    }

    /// <summary>Writes a register, and keeps in mind what that tells the device of its queues.</summary>
    private void Write(int offset, uint value)
    {
        bool ran = _driver.Status.HasFlag(VirtioStatus.DriverOk);
        if (offset == 0x70 && ran)
            Settle(); // what came before the reset
        _driver.Write(offset, value);
        if (offset == 0x30)
            _select = value;
        else if (offset == 0x70)
            SeeStatus(ran);
        else if (!ran && _select < _queues.Length)
            SetQueue(_queues[_select], offset, value);
    }

    private void SeeStatus(bool ran)
    {
        VirtioStatus status = _driver.Status;
        if (status == VirtioStatus.None)
        {
            // The last writes that were allowed came before the reset was done.
            Check();
            _select = 0;
            _tangled = false;
            foreach (FuzzRing queue in _queues)
                queue.Reset();
            _memory.Forbid();
        }
        else if (!ran && status.HasFlag(VirtioStatus.DriverOk) && !status.HasFlag(VirtioStatus.NeedsReset))
        {
            _counts.Starts++;
            foreach (FuzzRing queue in _queues)
            {
                if (queue.IsReady)
                    queue.Begin();
            }

            FuzzRing[] live = [.. _queues.Where(queue => queue.IsLive)];
            _tangled = live.Any(one => live.Any(
                other => one != other && one.Used < other.Used + QueueRoom && other.Used < one.Used + QueueRoom
                    && (one.Used == other.Used
                        || one.Used % QueueRoom != 0x140 || other.Used % QueueRoom != 0x140)));
        }
    }

    private static void SetQueue(FuzzRing queue, int offset, uint value)
    {
        switch (offset)
        {
            case 0x38:
                queue.Size = (ushort)Math.Min(value, ushort.MaxValue);
                break;
            case 0x44:
                queue.IsReady = (value & 1) != 0;
                break;
            case 0x80 or 0x84:
                queue.Descriptors = Half(queue.Descriptors, offset, value);
                break;
            case 0x90 or 0x94:
                queue.Available = Half(queue.Available, offset, value);
                break;
            case 0xa0 or 0xa4:
                queue.Used = Half(queue.Used, offset, value);
                break;
            default:
                break;
        }
    }

    private static ulong Half(ulong address, int offset, uint value) =>
        offset % 8 == 0 ? (address & ~0xffff_ffffUL) | value : (uint)address | ((ulong)value << 32);

    /// <summary>Lets the device run, and looks at what it did.</summary>
    private void Settle(Action? run = null)
    {
        if (_driver.Status.HasFlag(VirtioStatus.DriverOk))
        {
            _memory.Forbid();
            foreach (FuzzRing queue in _queues)
            {
                if (queue.IsLive)
                    queue.Mark();
            }

            _tangled |= _memory.IsTangled();
        }

        bool broken = _driver.Status.HasFlag(VirtioStatus.NeedsReset);
        run?.Invoke();
        if (!broken && _driver.Status.HasFlag(VirtioStatus.NeedsReset))
            _counts.Broken++;
        Check();
    }

    /// <summary>Rings first: what a device's workers write after that is in chains they still have.</summary>
    private void Check()
    {
        string? wrong = null;
        long completed = 0;
        foreach (FuzzRing queue in _queues)
        {
            if (!queue.IsLive)
                continue;
            if (_tangled)
                queue.Forget();
            else
                wrong ??= queue.Reap(ref completed, ref _tangled);
        }

        _counts.Completed += completed;
        wrong = _memory.Compare(_tangled) ?? wrong;
        if (wrong is not null)
            throw new FuzzException(wrong);
    }

    private void WriteDescriptor(ulong at, ulong address, uint length, ushort flags, ushort next)
    {
        Span<byte> descriptor = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(descriptor, address);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor[8..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[12..], flags);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[14..], next);
        _memory.Write(at, descriptor);
    }

    private static ReadOnlySpan<byte> Bytes(in ushort value) =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<ushort>(in value));
}

/// <summary>A device did what it must not.</summary>
public sealed class FuzzException(string message) : Exception(message);
