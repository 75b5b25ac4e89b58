using MiniVmm.Devices;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>
/// A guest and its host at the registers by which processors come and go: what the host asks for is heard of once, the line is
/// up for as long as there is something to hear, and nothing goes that the guest has not ejected.
/// </summary>
internal sealed class HotPlugFuzzer
{
    private const int Places = 6;
    private readonly FuzzInput _input;
    private readonly TestBay _bay = new(present: 2);
    private RecordingLevel _line = new();
    private CpuHotPlug _device;
    private FuzzCounts _counts;

    private HotPlugFuzzer(ReadOnlyMemory<byte> input)
    {
        _input = new FuzzInput(input);
        _device = new(Places, _bay, _line);
    }

    /// <inheritdoc cref="FuzzSubject.Run"/>
    public static FuzzCounts Run(ReadOnlyMemory<byte> input, FuzzTrace trace, Func<int, bool>? handsOver)
    {
        HotPlugFuzzer fuzzer = new(input);
        trace.Play(fuzzer._input, handsOver, fuzzer.HandOver, () =>
        {
            fuzzer.Step();
            fuzzer.Check();
        });
        fuzzer.Finish();
        return fuzzer._counts;
    }

    private void Step()
    {
        _counts.Steps++;
        int index = 1 + _input.Below(Places - 1);
        int gone = _bay.TakenOut.Count;
        int ejected = -1;
        switch (_input.Below(12))
        {
            case 0 or 1 when !_bay.IsPresent(index):
                _bay.PutIn(index);
                _device.RequestInsertion(index);
                _counts.Starts++;
                break;
            case 2 or 3 when _bay.IsPresent(index):
                _counts.Starts++;
                if (!_device.RequestEjection(index))
                {
                    _bay.TakeOut(index);
                    gone++;
                }

                break;
            case 4 when _bay.IsPresent(index):
                _device.Keep(index);
                break;
            case 5:
                int width = _input.Pick(1, 2, 4, 8);
                ulong offset = (ulong)_input.Below(CpuHotPlug.Length - width + 1);
                Span<byte> data = stackalloc byte[width];
                foreach (ref byte each in data)
                    each = _input.Byte();
                _device.Write(offset, data);
                ejected = _bay.TakenOut.Count > gone ? _bay.TakenOut[^1] : -1; // whatever it was, by these bytes
                break;
            case 6:
                ReadTwice();
                break;
            default:
                byte command = (byte)_input.Pick(1, 2, 2, 2, 3, 4, 4, _input.Byte());
                uint source = _input.Pick(1u, 3u, 0x103u, 0x200u, _input.Byte());
                uint status = _input.Pick(0u, 0u, 0x80u, 0x84u, 0x82u, _input.UInt32());
                int of = _input.Chance(8) ? _input.UInt16() : _input.Below(Places);
                if (Ask(command, (uint)of, source, status) is var answer && command == CpuHotPlug.NextRequest && answer != 0)
                    Heard(answer);
                ejected = command == CpuHotPlug.Eject ? of : -1;
                break;
        }

        if (_bay.TakenOut.Count > gone)
        {
            _counts.Broken++;
            if (_bay.TakenOut.Count > gone + 1 || _bay.TakenOut[^1] != ejected || ejected is < 1 or >= Places)
                throw new FuzzException($"processor {_bay.TakenOut[^1]} is gone, and nobody has ejected it");
        }
    }

    private void Heard(uint request)
    {
        _counts.Completed++;
        (uint what, uint index) = (request >> 16, request & 0xffff);
        if (what is not (1 or 3) || index is 0 or >= Places || !_bay.IsPresent((int)index))
            throw new FuzzException($"the guest is told 0x{request:x}");
        if (!_device[(int)index].Announced)
            throw new FuzzException($"processor {index} was announced, and counts as if not");
    }

    private void Check()
    {
        bool unheard = false;
        for (int i = 0; i < Places; i++)
        {
            CpuRequestState state = _device[i];
            unheard |= state.Pending != CpuRequest.None && !state.Announced;
            if (i == 0 ? state != default : state.Pending != CpuRequest.None && state.Refused != CpuRequest.None)
                throw new FuzzException($"processor {i} is {state}");
        }

        if (unheard != _line.Asserted)
            throw new FuzzException($"the line is {(unheard ? "down, and there is something" : "up, and there is nothing")} to hear");
    }

    /// <summary>All bytes are written, and reading changes nothing.</summary>
    private void ReadTwice()
    {
        int width = _input.Pick(1, 2, 4, 8);
        ulong offset = (ulong)_input.Below(CpuHotPlug.Length - width + 1);
        Span<byte> first = stackalloc byte[width];
        Span<byte> second = stackalloc byte[width];
        first.Fill(0xcc);
        second.Fill(0x33);
        _device.Read(offset, first);
        _device.Read(offset, second);
        if (!first.SequenceEqual(second))
            throw new FuzzException($"{width} bytes read at {offset} are not all written");
    }

    private void HandOver()
    {
        byte[] seen = Look();
        byte[] state = StateWriter.Save(_device);
        bool asserted = _line.Asserted;
        _line = new();
        _device = new(Places, _bay, _line);
        StateReader.Restore(_device, state);
        if (!Look().SequenceEqual(seen) || _line.Asserted != asserted)
            throw new FuzzException("a device that took over shows its guest something else");
    }

    private byte[] Look()
    {
        byte[] seen = new byte[CpuHotPlug.Length];
        _device.Read(0, seen);
        return seen;
    }

    /// <summary>A guest that does what it is asked to ends with nothing left to do.</summary>
    private void Finish()
    {
        uint request;
        for (int most = Places; (request = Ask(CpuHotPlug.NextRequest)) != 0; most--)
        {
            if (most == 0)
                throw new FuzzException("requests without an end");
            Heard(request);
        }

        for (uint i = 1; i < Places; i++)
        {
            CpuRequest pending = _device[(int)i].Pending;
            if (pending == CpuRequest.Eject && _bay.IsPresent((int)i))
                Ask(CpuHotPlug.Eject, i);
            Ask(CpuHotPlug.Report, i, (uint)pending);
            if (_device[(int)i].Pending != CpuRequest.None)
                throw new FuzzException($"processor {i} is {_device[(int)i]} after the guest has done it");
        }

        Check();
    }

    /// <summary>As the DSDT's methods do.</summary>
    private uint Ask(byte command, uint index = 0, uint source = 0, uint status = 0)
    {
        Span<byte> data = stackalloc byte[sizeof(uint)];
        if (command == CpuHotPlug.Report)
        {
            BitConverter.TryWriteBytes(data, source);
            _device.Write(4, data);
            BitConverter.TryWriteBytes(data, status);
            _device.Write(8, data);
        }

        BitConverter.TryWriteBytes(data, CpuHotPlug.Command(command, (ushort)index));
        _device.Write(0, data);
        _device.Read(0, data);
        return BitConverter.ToUInt32(data);
    }
}
