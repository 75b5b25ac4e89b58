using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Floppy;

/// <summary>
/// The first 8237A of a PC with its page registers: four channels of 64 KiB each, below 16 MiB. As much of it as a floppy
/// controller needs: single transfers upwards, with or without autoinitialisation.
/// </summary>
/// <param name="memory">Guest RAM.</param>
internal sealed unsafe class DmaController(GuestMemory memory)
{
    private const int Channels = 4;
    private const int Page = 0x1_0000;
    private readonly Channel[] _channels = [new(), new(), new(), new()];
    private readonly DeviceLock _lock = new();
    private bool _isUpper; // which byte comes next
    private byte _masks = 0x0f;
    private byte _completed;

    private enum Direction
    {
        Verify = 0,
        ToMemory = 1,
        FromMemory = 2,
    }

    /// <summary>Ports 0x00 to 0x0f: addresses, counts, and what governs them.</summary>
    public IBusDevice Registers => new RegisterPorts(this);

    /// <summary>Ports 0x81 to 0x83: pages of channels 2, 3 and 1.</summary>
    public IBusDevice Pages => new PagePorts(this);

    /// <summary>Bytes that a channel is programmed for now; 0 where it is masked.</summary>
    public int Remaining(int channel)
    {
        using (_lock.Hold())
            return (_masks & (1 << channel)) != 0 ? 0 : _channels[channel].Count + 1;
    }

    /// <summary>Moves bytes between a device and where its channel leads; the one place where that is checked.</summary>
    /// <param name="channel">0 to 3.</param>
    /// <param name="data">No more than <see cref="Remaining"/>.</param>
    /// <param name="toMemory">Whether the device is read.</param>
    /// <returns>False where it leads elsewhere than to RAM, or goes the other way.</returns>
    public bool TryMove(int channel, Span<byte> data, bool toMemory)
    {
        Channel at;
        using (_lock.Hold())
            at = _channels[channel];
        if (at.IsDownward || (at.Direction != Direction.Verify && at.Direction != (toMemory ? Direction.ToMemory : Direction.FromMemory)))
            return false;
        for (int done = 0; done < data.Length && at.Direction != Direction.Verify;)
        {
            // Addresses wrap inside of the page.
            int offset = (at.Address + done) % Page;
            int count = Math.Min(data.Length - done, Page - offset);
            if (!memory.TryResolve(((ulong)at.Page << 16) + (ulong)offset, (ulong)count, out byte* host))
                return false;
            Span<byte> ram = new(host, count);
            if (toMemory)
                data.Slice(done, count).CopyTo(ram);
            else
                ram.CopyTo(data.Slice(done, count));
            done += count;
        }

        using (_lock.Hold())
            Advance(channel, data.Length);
        return true;
    }

    private void Advance(int channel, int bytes)
    {
        ref Channel at = ref _channels[channel];
        bool isDone = bytes > at.Count;
        at.Address = (ushort)(at.Address + bytes);
        at.Count = (ushort)(at.Count - bytes);
        if (!isDone)
            return;
        _completed |= (byte)(1 << channel);
        if (at.Autoinitialises)
            (at.Address, at.Count) = (at.BaseAddress, at.BaseCount);
        else
            _masks |= (byte)(1 << channel);
    }

    private byte Read(uint port)
    {
        using (_lock.Hold())
        {
            if (port < 2 * Channels)
            {
                Channel at = _channels[port / 2];
                int value = port % 2 == 0 ? at.Address : at.Count;
                _isUpper = !_isUpper;
                return (byte)(_isUpper ? value : value >> 8);
            }

            if (port != 8)
                return port == 15 ? (byte)(0xf0 | _masks) : (byte)0;
            byte status = _completed;
            _completed = 0;
            return status;
        }
    }

    private void Write(uint port, byte value)
    {
        using (_lock.Hold())
        {
            if (port < 2 * Channels)
            {
                WriteChannel(ref _channels[port / 2], isAddress: port % 2 == 0, value);
                return;
            }

            int bit = 1 << (value & 3);
            switch (port)
            {
                case 10:
                    _masks = (byte)((value & 4) != 0 ? _masks | bit : _masks & ~bit);
                    break;
                case 11:
                    _channels[value & 3].Mode = value;
                    break;
                case 12:
                    _isUpper = false;
                    break;
                case 13:
                    (_isUpper, _masks, _completed) = (false, 0x0f, 0);
                    break;
                case 14:
                    _masks = 0;
                    break;
                case 15:
                    _masks = (byte)(value & 0x0f);
                    break;
            }
        }
    }

    private void WriteChannel(ref Channel channel, bool isAddress, byte value)
    {
        ushort before = isAddress ? channel.BaseAddress : channel.BaseCount;
        ushort now = (ushort)(_isUpper ? (before & 0x00ff) | (value << 8) : (before & 0xff00) | value);
        _isUpper = !_isUpper;
        if (isAddress)
            channel.BaseAddress = channel.Address = now;
        else
            channel.BaseCount = channel.Count = now;
    }

    private struct Channel
    {
        public ushort BaseAddress, BaseCount, Address, Count;
        public byte Mode, Page;

        public readonly Direction Direction => (Direction)((Mode >> 2) & 3);

        public readonly bool Autoinitialises => (Mode & 0x10) != 0;

        public readonly bool IsDownward => (Mode & 0x20) != 0;
    }

    private sealed class RegisterPorts(DmaController controller) : ByteDevice
    {
        protected override byte ReadByte(uint offset) => controller.Read(offset);

        protected override void WriteByte(uint offset, byte value) => controller.Write(offset, value);
    }

    private sealed class PagePorts(DmaController controller) : ByteDevice
    {
        private static ReadOnlySpan<byte> ChannelOf => [2, 3, 1];

        protected override byte ReadByte(uint offset) => controller._channels[ChannelOf[(int)offset]].Page;

        protected override void WriteByte(uint offset, byte value) => controller._channels[ChannelOf[(int)offset]].Page = value;
    }
}
