using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>What happened in a run, or in many.</summary>
public record struct FuzzCounts(long Steps, long Starts, long Completed, long Broken)
{
    public readonly FuzzCounts With(FuzzCounts other) =>
        new(Steps + other.Steps, Starts + other.Starts, Completed + other.Completed, Broken + other.Broken);
}

/// <summary>
/// A driver, mostly well behaved, of any device: it goes through the device's registers and through rings, with every
/// decision read from a string of bytes. After each step that lets the device run, the bytes of guest RAM that are in
/// no used ring and in no buffer that the device may write are what they were.
/// </summary>
public sealed partial class DeviceFuzzer : IDisposable
{
    // Room for each queue's three parts in front, then tables, then buffers.
    private const ulong QueueRoom = 0x200;
    private const ulong Tables = 0x1800;
    private const ulong Buffers = 0x2000;
    private static readonly byte[] NoBytes = new byte[FuzzMemory.LargeQueueRoom];
    private static readonly byte[] Filling = MakeFilling();
    private readonly FuzzTarget _target;
    private readonly FuzzInput _input;
    private readonly FuzzMemory _memory = new();
    private readonly FuzzHost _host;
    private readonly Func<IVirtioDevice> _plug;
    private readonly RegisterDriver _driver;
    private readonly FuzzRing[] _queues;
    private readonly ulong[] _headers = new ulong[4];
    private readonly List<FuzzFilling> _fillings = [];
    private uint _select;
    private ulong _nextTable = Tables;
    private ulong _features;
    private bool _behaves;
    private bool _tangled;
    private int _edges;
    private int _filled;
    private FuzzCounts _counts;

    private DeviceFuzzer(FuzzTarget target, ReadOnlyMemory<byte> input)
    {
        _target = target;
        _input = new FuzzInput(input);
        _host = new FuzzHost(_input, _memory) { Meanwhile = ChangeMind, IsParted = IsParted };
        _plug = target.Plug(_host);
        IVirtioDevice device = _plug();
        _driver = new RegisterDriver(device, _memory.Ram);
        _queues = [.. device.QueueSizes.Select(size => new FuzzRing(_memory, size))];
    }

    /// <summary>Plays a string of bytes to its end.</summary>
    /// <param name="target">What to play on.</param>
    /// <param name="input">The bytes.</param>
    /// <param name="trace">Learns how far it got.</param>
    /// <param name="handsOver">Whether another device takes over before a step; null is never.</param>
    /// <exception cref="Exception">Whatever the device throws, or what it did wrong.</exception>
    public static FuzzCounts Run(
        FuzzTarget target, ReadOnlyMemory<byte> input, FuzzTrace trace, Func<int, bool>? handsOver = null)
    {
        using DeviceFuzzer fuzzer = new(target, input);
        try
        {
            fuzzer.Start();
            trace.Play(fuzzer._input, handsOver, fuzzer.HandOver, fuzzer.Step);
            fuzzer.Finish();
            fuzzer._driver.Transport.Reset();
            fuzzer.Settle();
            return fuzzer._counts;
        }
        finally
        {
            trace.Read = fuzzer._input.Position;
        }
    }

    public void Dispose()
    {
        _driver.Dispose();
        _host.Unplug();
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
                Acknowledge(_input.Byte());
                break;
            case 27 when _input.Chance(64):
                if (_input.Chance(128))
                    Finish();
                Write(0x70, 0);
                break;
            case 28 or 29:
                Stir();
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
        _behaves = _input.Chance(128);
        Write(0x70, 1);
        Write(0x70, 3);
        ulong wanted = _input.Pick(
            ulong.MaxValue, ulong.MaxValue & ~(ulong)VirtioFeatures.EventIndex, (ulong)VirtioFeatures.Version1, 0ul);
        if (wanted == 0)
            wanted = _input.UInt64() | (ulong)VirtioFeatures.Version1;
        ulong offered = _driver.Offered;
        wanted &= offered;
        if (_input.Chance(4))
            wanted = _input.UInt64();
        _driver.WriteFeatures(wanted);
        Write(0x70, 11);
        bool agreed = (wanted & ~offered) == 0 && (wanted & (ulong)VirtioFeatures.Version1) != 0;
        if (_driver.Status.HasFlag(VirtioStatus.FeaturesOk) != agreed)
            throw new FuzzException($"the device says {(agreed ? "no" : "yes")} to features 0x{wanted:x}");
        _features = _host.Features = wanted;
        if (_input.Chance(4))
            _driver.WriteFeatures(_input.UInt64()); // too late
        int large = _input.Chance(16) ? _input.Below(_queues.Length) : -1;
        for (int i = 0; i < _queues.Length; i++)
        {
            if (Errs(6))
                continue;
            Write(0x30, (uint)i);
            uint most = _driver.Read(0x34);
            ushort size = (ushort)Math.Min(most, _input.Pick(8u, 16u, 4u, 2u, 1u, 16u, 8u, 8u));
            if (i == large)
                SetUp(i, (ushort)Math.Min(most, 128), FuzzMemory.LargeQueue, FuzzMemory.LargeQueueRoom, 0x800, 0xa00);
            else
                SetUp(i, size, QueueRoom * (ulong)i, (int)QueueRoom, 0x100, 0x140);
        }

        Write(0x70, 15);
        if (!_input.Chance(16))
            Settle(() => _driver.Threads.Run());
    }

    private void SetUp(int queue, ushort size, ulong at, int room, ulong available, ulong used)
    {
        Write(0x38, Errs(4) ? _input.Pick(0u, 3u, 12u, 24u, 256u, _input.UInt32()) : size);
        WriteAddress(0x80, at);
        WriteAddress(0x90, at + available);
        WriteAddress(0xa0, at + used);
        if (Errs(3))
            WriteAddress(_input.Pick(0x80, 0x90, 0xa0), AnyAddress());
        Write(0x44, 1);

        // As a driver does with fresh rings.
        _memory.Write(at, NoBytes.AsSpan(0, room));
        _memory.Write(_queues[queue].Used, NoBytes.AsSpan(0, 6 + (8 * size)));
        _queues[queue].Published = 0;
    }

    /// <summary>True so many times out of 256 for a driver that makes mistakes.</summary>
    private bool Errs(int of256) => _input.Chance(of256) && !_behaves;

    private void AddChain(FuzzRing queue, bool indirect)
    {
        if (!queue.IsLive || (queue.Room == 0 && !Errs(4)))
            return;
        (byte[]? header, int most) = (_target.Header(_input), 4);
        int readable = header is null ? 0 : 1 + _input.Pick(0, 0, 1, 2);
        int writable = _input.Pick(1, 1, 2, 3, 0);
        if (_input.Chance(16))
            (readable, header) = (0, null);
        int count = Math.Min(readable + writable, most);
        if (count == 0 || (!Errs(4) && queue.DescriptorsOut + (indirect ? 1 : count) > queue.Size))
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
                queue.Descriptors + (16 * (ulong)first), table,
                Errs(8) ? length + _input.Pick(8u, 16u, 0x10000u, _input.UInt32()) : length,
                (ushort)(TestDriver.Indirect | (Errs(4) ? TestDriver.Next : 0)), 0);
        }

        _fillings.Clear();

        for (int i = 0; i < count; i++)
        {
            int index = indirect ? i : (first + i) % queue.Size;
            bool write = i >= readable;
            (ulong address, uint size) = Piece(i == 0 ? header : null, write, i == count - 1);
            int flags = (write ? TestDriver.Write : 0) | (i < count - 1 ? TestDriver.Next : 0);
            int next = indirect ? i + 1 : (index + 1) % queue.Size;
            if (Errs(3))
                flags = _input.Byte();
            if (Errs(3))
                next = _input.Pick(_input.Byte(), queue.Size, index, count);
            WriteDescriptor(table + (16 * (ulong)index), address, size, (ushort)flags, (ushort)next);
        }

        queue.NextDescriptor = (first + (indirect ? 1 : count)) % queue.Size;
        queue.Fill((ushort)first, _target.Copies ? null : [.. _fillings]);
        Publish(queue, Errs(2) ? _input.Pick(_input.Byte(), queue.Size) : (ushort)first);

        // Some make the same chain available over and over.
        if (_input.Chance(8))
        {
            for (int more = Math.Min(_input.Byte(), queue.Room); more > 0; more--)
                Publish(queue, (ushort)first);
        }
    }

    private (ulong Address, uint Length) Piece(byte[]? header, bool write, bool last)
    {
        ulong address = Buffers + (ulong)_input.Below(0x3800);
        if (_input.Chance(32))
            address = 0x8000 + (ulong)_input.Below(0x1c00);
        if (header is not null && !write)
        {
            if (!Array.Exists(_queues, queue => queue.Counts(address, (ulong)header.Length)))
                _memory.Write(address, header);
            _headers[address % (ulong)_headers.Length] = address;
            return (address, Errs(8) ? _input.Byte() : (uint)header.Length);
        }

        uint length = write && last && _input.Chance(128)
            ? 1
            : _input.Pick(512u, 16u, 64u, 1u, 512u, 4096u, 1536u, 12u, 8u, 32u, 100u);
        if (Errs(2))
            length = _input.Pick(0u, uint.MaxValue, 0x8000_0000u, _input.UInt32());
        if (Errs(3))
            address = AnyAddress();
        else if (_behaves)
            address = Math.Min(address, (address < 0x8000 ? 0x6000u : 0xa000u) - length);
        if (write && length <= 4096 && !Array.Exists(_queues, queue => queue.Counts(address, length)))
        {
            ReadOnlyMemory<byte> filling = Filling.AsMemory((_filled++ * 4099) % 60_000, (int)length);
            _memory.Write(address, filling.Span);
            _fillings.Add(new FuzzFilling(address, filling));
        }

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

    /// <summary>What nobody would write: each byte above any status.</summary>
    private static byte[] MakeFilling()
    {
        byte[] bytes = new byte[64 * 1024];
        new Random(1).NextBytes(bytes);
        foreach (ref byte each in bytes.AsSpan())
            each |= 0x80;
        return bytes;
    }

    private void Publish(FuzzRing queue, ushort head)
    {
        _memory.Write(queue.Available + 4 + (2 * (ulong)(queue.Published % queue.Size)), Bytes(head));
        queue.Published++;
        _memory.Write(queue.Available + 2, Bytes(queue.Published));
        queue.Announce((ushort)(queue.Published - 1));
    }

    private void Kick(int queue)
    {
        if (_input.Chance(200))
            Write(VirtioMmio.QueueNotify, (uint)queue);
        else
            _driver.Threads.Ring(queue); // by ioeventfd
        _queues[queue].IsOwedKick = false;
        Settle(() => _driver.Threads.Run());
    }

    private void BreakRing(FuzzRing queue)
    {
        if (!queue.IsLive)
            return;
        switch (_input.Below(5))
        {
            case 0 when Errs(32):
                queue.IsOwedKick = true;
                queue.Published += _input.Byte();
                _memory.Write(queue.Available + 2, Bytes(queue.Published));
                break;
            case 1 when Errs(32):
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

    /// <summary>
    /// Anywhere but in used rings and the heads of available ones, where it would only mislead the one who checks.
    /// </summary>
    private void Scribble()
    {
        ulong address = _input.Chance(32) ? _input.UInt16() : Buffers + (ulong)_input.Below(0x4000);
        byte value = _input.Byte();
        if (Array.Exists(_queues, queue => queue.Counts(address, 1)))
            return;
        foreach (FuzzRing queue in _queues)
            queue.IsOwedKick |= queue.IsLive && address - queue.Available < 4;
        if (!_behaves || address >= Buffers)
            _memory.Write(address, [value]);
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
