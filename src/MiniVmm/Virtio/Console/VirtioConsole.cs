using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Host;

namespace MiniVmm.Virtio.Console;

/// <summary>
/// The console device (virtio 1.2, 5.3): one port, hvc0 to Linux, with a size that may change and a register for last
/// words. What the host types waits here until there is a driver.
/// </summary>
internal sealed unsafe class VirtioConsole : IVirtioDevice, IConsoleKeys
{
    private const ulong SizeFeature = 1 << 0;
    private const ulong EmergencyWriteFeature = 1 << 2;
    private const int ReceiveQueue = 0;
    private const int TransmitQueue = 1;
    private const int EmergencyWrite = 8;
    private const int ConfigurationLength = 12;
    private const int TypedAhead = 4096;

    // What the thread does before it can be parked: a guest that never stops can still be reset.
    private const int MostRequests = 64;
    private const int MostBytes = 256 * 1024;

    // Linux' hvc takes Ctrl-O where a serial console takes a break.
    private const byte SysRq = 0x0f;

    private static readonly TimeSpan FullSinkDelay = TimeSpan.FromMilliseconds(1);
    private static readonly ushort[] Sizes = [128, 128];
    private readonly IConsoleSink _sink;
    private readonly DeviceLock _lock = new(); // of what was typed
    private readonly ByteQueue _typed = new(TypedAhead);
    private IVirtioInterrupt? _interrupt;
    private EventFd? _wake;
    private ILoopTimer? _again;
    private Virtqueue? _receive;
    private Virtqueue? _transmit;
    private DescriptorChain? _input;
    private DescriptorChain? _output;
    private bool _sends; // a chain of the transmit queue is under way
    private int _piece; // as far as this one
    private ulong _at; // and this byte of it
    private uint _size; // columns, and rows above them
    private volatile bool _active;

    /// <param name="sink">Takes what the guest prints.</param>
    public VirtioConsole(IConsoleSink sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        _sink = sink;
    }

    public uint DeviceType => 3;

    public ulong Features => SizeFeature | EmergencyWriteFeature;

    public IReadOnlyList<ushort> QueueSizes => Sizes;

    public int Receive(ReadOnlySpan<byte> data)
    {
        int taken;
        using (_lock.Hold())
        {
            taken = Math.Min(data.Length, _typed.Room);
            for (int i = 0; i < taken; i++)
                _typed.Enqueue(data[i]);
        }

        if (taken > 0 && _active)
            _wake!.Signal();
        return taken;
    }

    public void SendBreak() => Receive([SysRq]);

    /// <summary>Tells the guest how large the terminal is. Any thread.</summary>
    public void Resize(ushort columns, ushort rows)
    {
        uint size = columns | ((uint)rows << 16);
        if (Interlocked.Exchange(ref _size, size) != size && _active)
            _interrupt!.ConfigurationChanged();
    }

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        _interrupt = interrupt;
        _wake = new EventFd();
        threads[0].Watch(_wake.Fd, Readiness.Read, _ =>
        {
            _wake.Read();
            GiveTyped();
        });
        _again = threads[0].CreateTimer(() =>
        {
            Print();
            GiveTyped();
        });
    }

    public void ReadConfiguration(uint offset, Span<byte> data)
    {
        Span<byte> all = stackalloc byte[ConfigurationLength];
        all.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(all, Volatile.Read(ref _size));
        ConfigurationSpace.Read(all, offset, data);
    }

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        // Works before there is a driver, or when there is none any more (5.3.5).
        if (offset == EmergencyWrite && data.Length > 0)
            _sink.Write(data[0]);
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        _receive = queues[ReceiveQueue];
        _transmit = queues[TransmitQueue];
        _input ??= new DescriptorChain(_receive.LongestChain);
        _output ??= new DescriptorChain(_transmit.LongestChain);
        _active = true;

        // Linux reads the size of a console with a single port only when it is told of a change.
        if ((features & SizeFeature) != 0 && Volatile.Read(ref _size) != 0)
            _interrupt!.ConfigurationChanged();
    }

    public void Notify(int queue)
    {
        if (queue == ReceiveQueue)
            GiveTyped();
        else if (queue == TransmitQueue)
            Print();
    }

    public void ResetQueue(int queue)
    {
        if (queue == TransmitQueue)
            ForgetText();
    }

    public string StateName => "virtio-console";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteUInt32(Volatile.Read(ref _size));
        using (_lock.Hold())
            writer.WriteBytes(_typed.ToArray());
        writer.WriteBool(_sends);
        writer.WriteUInt64(Sent());
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);

        // What the driver knows. A terminal of another size says so again.
        Volatile.Write(ref _size, reader.ReadUInt32());
        using (_lock.Hold())
            _typed.Replace(reader.ReadBytes(TypedAhead));
        bool sends = reader.ReadBool();
        ulong sent = reader.ReadUInt64();
        reader.Check(sends || sent == 0, $"{sent} bytes printed of a buffer that there is not");
        if (sends)
            ResumeSending(sent);
    }

    public void Reset()
    {
        _active = false;
        _again!.Stop();
        _receive = _transmit = null;
        ForgetText();
    }

    public void Dispose()
    {
        _active = false;
        _wake?.Dispose();
        _input?.Dispose();
        _output?.Dispose();
    }

    /// <summary>Brings what was typed to the guest, as far as it has buffers.</summary>
    private void GiveTyped()
    {
        if (_receive is null)
            return;
        int left = MostRequests;
        bool wants = false;
        do
        {
            while (left > 0 && (wants = Typed() > 0) && _receive.TryTake(_input!))
            {
                left--;
                _receive.Complete(_input!.Head, Fill(_input.Writable));
            }

            // Buffers that come while there is nothing to put in them are no news.
            if (!wants)
                _receive.SuppressNotifications();
        }
        while (left > 0 && wants && _receive.ResumeNotifications());

        if (left == 0)
            _again!.Start(TimeSpan.Zero);
        if (_receive.ShouldInterrupt())
            _interrupt!.QueueUsed(ReceiveQueue);
        if (_receive.Error != ChainError.None)
            _interrupt!.NeedsReset();
    }

    private int Typed()
    {
        using (_lock.Hold())
            return _typed.Count;
    }

    private uint Fill(ReadOnlySpan<IoVector> pieces)
    {
        uint written = 0;
        foreach (IoVector piece in pieces)
        {
            int count;
            for (ulong at = 0; at < piece.Length; at += (ulong)count)
            {
                count = Take(new Span<byte>(piece.Base + at, (int)Math.Min(piece.Length - at, TypedAhead)));
                if (count == 0)
                    return written;
                written += (uint)count;
            }
        }

        return written;
    }

    private int Take(Span<byte> target)
    {
        // By way of the stack: a page of the guest's may have to be fetched, and others wait for the lock.
        Span<byte> some = stackalloc byte[128];
        int count;
        using (_lock.Hold())
        {
            count = Math.Min(Math.Min(target.Length, some.Length), _typed.Count);
            for (int i = 0; i < count; i++)
                some[i] = _typed.Dequeue();
        }

        some[..count].CopyTo(target);
        return count;
    }

    /// <summary>Brings what the guest printed to the sink; where that has no room, it looks again later.</summary>
    private void Print()
    {
        if (_transmit is null)
            return;
        int requests = MostRequests;
        int bytes = MostBytes;
        bool full = false;
        _transmit.SuppressNotifications();
        do
        {
            while (requests > 0 && bytes > 0 && !full && (_sends || _transmit.TryTake(_output!)))
            {
                _sends = true;
                full = !Send(ref bytes);
                if (full || bytes == 0)
                    break;
                requests--;
                ForgetText();
                _transmit.Complete(_output!.Head, 0);
            }
        }
        while (requests > 0 && bytes > 0 && !full && _transmit.ResumeNotifications());

        if (full)
            _again!.Start(FullSinkDelay);
        else if (requests == 0 || bytes == 0)
            _again!.Start(TimeSpan.Zero);
        if (_transmit.ShouldInterrupt())
            _interrupt!.QueueUsed(TransmitQueue);
        if (_transmit.Error != ChainError.None)
            _interrupt!.NeedsReset();
    }

    /// <summary>No chain is under way any more: it is printed, or the driver's again.</summary>
    private void ForgetText()
    {
        _sends = false;
        _piece = 0;
        _at = 0;
    }

    /// <summary>Bytes that were printed of the chain under way.</summary>
    private ulong Sent()
    {
        ulong sent = _at;
        for (int i = 0; i < _piece; i++)
            sent += _output!.Readable[i].Length;
        return sent;
    }

    /// <summary>Takes the chain again that was under way, and skips what was printed of it.</summary>
    private void ResumeSending(ulong sent)
    {
        _sends = _transmit is not null && _transmit.TryTake(_output!);
        if (!_sends)
            return; // the driver took it back, and must not have

        ReadOnlySpan<IoVector> pieces = _output!.Readable;
        for (_piece = 0; _piece < pieces.Length && sent >= pieces[_piece].Length; _piece++)
            sent -= pieces[_piece].Length;
        _at = _piece < pieces.Length ? sent : 0;
    }

    /// <summary>Goes on with the chain that is under way, for at most so many bytes.</summary>
    /// <returns>False where the sink takes no more.</returns>
    private bool Send(ref int most)
    {
        ReadOnlySpan<IoVector> pieces = _output!.Readable;
        while (_piece < pieces.Length)
        {
            if (most == 0)
                return true;
            IoVector piece = pieces[_piece];
            int count = (int)Math.Min(piece.Length - _at, (ulong)most);
            int taken = _sink.TryWrite(new ReadOnlySpan<byte>(piece.Base + _at, count));
            most -= taken;
            _at += (ulong)taken;
            if (_at == piece.Length)
            {
                _piece++;
                _at = 0;
            }
            else if (taken < count)
            {
                return false;
            }
        }

        return true;
    }
}
