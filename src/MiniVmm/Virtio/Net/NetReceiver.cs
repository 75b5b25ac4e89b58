using System.Runtime.InteropServices;
using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio.Net;

/// <summary>
/// The host's frames on their way to the guest: readv(2) puts each where the driver wants it. Buffers are taken before
/// the frame is there, and kept for the next one where it does not fill them. On its pair's thread.
/// </summary>
internal sealed unsafe class NetReceiver : IDisposable
{
    private const int MostPerPass = 64;

    // The last piece of each read is the spill.
    private const int MostHeld = FileCalls.IOV_MAX - 1;

    // An IPv6 packet, its Ethernet header with a tag, and the virtio header.
    private const int MostBytes = 65535 + 40 + VirtioNet.TaggedHeader + VirtioNet.HeaderLength;

    private readonly int _fd;
    private readonly bool _hasHeader;
    private readonly ulong _mtuBytes;
    private readonly NetRateLimit? _limit;
    private readonly NativeBuffer _storage = new(FileCalls.IOV_MAX * (sizeof(IoVector) + sizeof(Held)));
    private readonly NativeBuffer _spillStorage = new(MostBytes);
    private readonly IoVector* _pieces;
    private readonly Held* _held;
    private readonly byte* _spill;
    private DescriptorChain? _chain;
    private Virtqueue? _queue;
    private ILoopTimer? _timer;
    private int _pieceCount;
    private int _heldCount;
    private ulong _capacity;

    // A frame that was read but did not fit: its bytes, and where those in the spill belong.
    private ulong _frame;
    private ulong _spillAt;
    private bool _mergeable;

    /// <param name="fd">Where the frames come from, one a read.</param>
    /// <param name="hasHeader">Whether they come with the virtio header.</param>
    /// <param name="mtu">Without the Ethernet header.</param>
    /// <param name="limit">Null is none.</param>
    public NetReceiver(int fd, bool hasHeader, ushort mtu, NetRateLimit? limit)
    {
        _fd = fd;
        _hasHeader = hasHeader;
        _mtuBytes = VirtioNet.HeaderLength + VirtioNet.TaggedHeader + (ulong)mtu;
        _limit = limit;
        _pieces = (IoVector*)_storage.Pin().Pointer;
        _held = (Held*)(_pieces + FileCalls.IOV_MAX);
        _spill = (byte*)_spillStorage.Pin().Pointer;
    }

    public NetCounts Counts { get; } = new();

    /// <inheritdoc cref="ITracedRequests.Trace"/>
    public DeviceTrace? Trace { get; set; }

    /// <summary>Its queue's number.</summary>
    public int Index { get; init; }

    /// <summary>Whether a frame's coming is news: there is room, and no limit in the way.</summary>
    public bool WantsFrames { get; private set; }

    /// <summary>The descriptor gives no frames any more.</summary>
    public bool IsGone { get; private set; }

    /// <summary>The driver gave a buffer without room for the header, or too many tiny ones: it has to reset.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Whether the host sends frames that it put together (VIRTIO_NET_F_GUEST_TSO*).</summary>
    public bool TakesLarge { get; set; }

    /// <summary>Whether the guest takes unfinished checksums (VIRTIO_NET_F_GUEST_CSUM).</summary>
    public bool TakesChecksums { get; set; }

    /// <summary>Whether no frames are read: the pair is not in use.</summary>
    public bool IsIdle { get; set; }

    /// <param name="loop">Its thread.</param>
    /// <param name="resume">What to call when the limit lets frames pass again.</param>
    public void Attach(IDeviceLoop loop, Action resume)
    {
        if (_limit is not null)
            _timer = loop.CreateTimer(resume);
    }

    public void Begin(Virtqueue queue, bool mergeable)
    {
        _chain ??= new DescriptorChain(queue.LongestChain);
        _queue = queue;
        _mergeable = mergeable;
    }

    /// <summary>Forgets the buffers that wait here for a frame; a frame that has begun to fill them is lost.</summary>
    public void Forget()
    {
        _pieceCount = _heldCount = 0;
        _capacity = _frame = 0;
    }

    public void End()
    {
        _queue = null;
        Forget();
        WantsFrames = IsGone = IsBroken = false;
        _timer?.Stop();
    }

    /// <summary>Takes what is there.</summary>
    /// <returns>True where the driver wants to hear of it.</returns>
    public bool Run()
    {
        WantsFrames = false;
        if (_queue is not { } queue || _chain is not { } chain || IsGone || IsBroken || IsIdle)
            return false;
        queue.SuppressNotifications();
        int completed = 0;
        int left = MostPerPass;
        while (left > 0 || _frame != 0)
        {
            if (!Gather(queue, chain))
            {
                if (!IsBroken && queue.ResumeNotifications())
                    continue;
                left = -1; // until the driver gives buffers
                break;
            }

            if (_frame == 0)
            {
                if (_limit is not null && _limit.Delay() is { Ticks: > 0 } delay)
                {
                    _timer!.Start(delay);
                    left = -1;
                    break;
                }

                if (!Read())
                    break;
                left--;
            }

            if (_frame > _capacity && !CanGrow)
            {
                _frame = 0; // no room for it, ever
                Counts.AddDropped();
            }

            if (_frame == 0 || _frame > _capacity)
                continue;
            if (_frame > _spillAt)
                CopySpill();
            Deliver(queue);
            completed++;
        }

        WantsFrames = left >= 0 && !IsGone;
        return completed > 0 && queue.ShouldInterrupt();
    }

    /// <summary>
    /// How many buffers are kept, to be taken again, and of a frame that waits for more of them what is not in them.
    /// </summary>
    public void Save(StateWriter writer)
    {
        ulong spilled = _frame == 0 ? 0 : _frame - _spillAt;
        writer.WriteBool(IsBroken);
        writer.WriteUInt16((ushort)_heldCount);
        writer.WriteUInt64(_frame);
        writer.WriteBytes(new ReadOnlySpan<byte>(_spill, (int)spilled));
    }

    public void Restore(StateReader reader)
    {
        bool broken = reader.ReadBool();
        int held = reader.ReadUInt16();
        ulong frame = reader.ReadUInt64();
        ReadOnlySpan<byte> spilled = reader.ReadBytes(MostBytes);
        reader.Check(
            frame is 0 or > VirtioNet.HeaderLength && (ulong)spilled.Length <= frame,
            $"a frame of {frame} bytes, {spilled.Length} of them beside its buffers");
        while (_heldCount < held && _queue is not null && _queue.TryTake(_chain!) && TryHold(_chain!))
        {
            // TryHold has it.
        }

        IsBroken |= broken;

        // A driver that meanwhile changed what is the device's loses the frame.
        _spillAt = frame - (ulong)spilled.Length;
        _frame = _heldCount == held && held > 0 && _spillAt <= _capacity ? frame : 0;
        spilled.CopyTo(new Span<byte>(_spill, MostBytes));
    }

    public void Dispose()
    {
        _timer?.Dispose();
        _chain?.Dispose();
        _storage.Dispose();
        _spillStorage.Dispose();
    }

    private bool CanGrow => _mergeable && _pieceCount < MostHeld;

    /// <summary>Takes buffers for the frame that waits, or for the largest that may come.</summary>
    /// <returns>Whether there is anything to go on with.</returns>
    private bool Gather(Virtqueue queue, DescriptorChain chain)
    {
        ulong wanted = _frame != 0 ? _frame : TakesLarge ? MostBytes : _mtuBytes;
        while (_capacity < wanted && (_heldCount == 0 || CanGrow) && queue.TryTake(chain))
        {
            if (!TryHold(chain))
                return false;
        }

        return _heldCount != 0 && (_capacity >= _frame || !CanGrow);
    }

    private bool TryHold(DescriptorChain chain)
    {
        IsBroken = chain.WritableLength < VirtioNet.HeaderLength || chain.Writable.Length > MostHeld - _pieceCount;
        if (IsBroken)
            return false;
        foreach (ref readonly IoVector piece in chain.Writable)
            _pieces[_pieceCount++] = piece;
        _held[_heldCount++] =
            new Held { Head = chain.Head, Pieces = chain.Writable.Length, Length = chain.WritableLength };
        _capacity += chain.WritableLength;
        return true;
    }

    /// <summary>Reads one frame into what is held, and what does not fit into the spill.</summary>
    /// <returns>False where there is none.</returns>
    private bool Read()
    {
        int at = 0;
        ulong skip = _hasHeader ? 0u : VirtioNet.HeaderLength;
        while (skip >= _pieces[at].Length && at < _pieceCount)
            skip -= _pieces[at++].Length;
        _pieces[_pieceCount] = new IoVector(_spill, MostBytes);
        IoVector whole = _pieces[at];
        _pieces[at] = new IoVector(whole.Base + skip, whole.Length - skip);
        nint length = ReadOnce(at);
        _pieces[at] = whole;
        if (length <= 0)
            return false;
        if (_hasHeader && length <= VirtioNet.HeaderLength)
            return true; // nothing in it

        _frame = (ulong)length + (_hasHeader ? 0u : VirtioNet.HeaderLength);
        _spillAt = _capacity;
        _limit?.Spend((long)_frame - VirtioNet.HeaderLength);
        return true;
    }

    private nint ReadOnce(int at)
    {
        while (true)
        {
            nint length = FileCalls.ReadV(_fd, _pieces + at, _pieceCount + 1 - at);
            int error = length < 0 ? Marshal.GetLastPInvokeError() : 0;
            if (error == Errno.EINTR)
                continue;
            IsGone = length == 0 || error is not (0 or Errno.EAGAIN);
            return length;
        }
    }

    private void CopySpill()
    {
        ulong at = 0;
        ulong done = _spillAt;
        for (int i = 0; i < _pieceCount && done < _frame; at += _pieces[i++].Length)
        {
            IoVector piece = _pieces[i];
            if (at + piece.Length <= done)
                continue;
            ulong inside = done - at;
            ulong count = Math.Min(piece.Length - inside, _frame - done);
            Buffer.MemoryCopy(_spill + (done - _spillAt), piece.Base + inside, count, count);
            done += count;
        }
    }

    /// <summary>Gives the frame to the driver, in as many of the buffers as it fills: all of them at once.</summary>
    private void Deliver(Virtqueue queue)
    {
        int buffers = 0;
        int pieces = 0;
        ulong rest = _frame;
        while (rest > 0)
        {
            ref Held held = ref _held[buffers++];
            uint here = (uint)Math.Min(rest, held.Length);
            rest -= here;
            pieces += held.Pieces;
            _capacity -= held.Length;
            held.Length = here;
        }

        FinishHeader((ushort)buffers);
        Counts.Add((long)_frame - VirtioNet.HeaderLength);
        for (int i = 0; i < buffers; i++)
            queue.CompleteLater(_held[i].Head, _held[i].Length);
        queue.Publish();
        Trace?.Request(Index, VirtioNet.ReceiveOperation, 0, _frame - VirtioNet.HeaderLength, Trace.Now);

        _frame = 0;
        _heldCount -= buffers;
        _pieceCount -= pieces;
        new Span<Held>(_held + buffers, _heldCount).CopyTo(new Span<Held>(_held, _heldCount));
        new Span<IoVector>(_pieces + pieces, _pieceCount).CopyTo(new Span<IoVector>(_pieces, _pieceCount));
    }

    /// <summary>Writes what the host left out of the header (5.1.6): all of it, or only num_buffers.</summary>
    private void FinishHeader(ushort buffers)
    {
        if (!_hasHeader)
        {
            for (uint i = 0; i < VirtioNet.NumBuffers; i++)
                Put(i, 0);
        }
        else if (!TakesChecksums)
        {
            Put(0, 0); // flags: the kernel tells of good checksums unasked (5.1.6.4.1)
        }

        Put(VirtioNet.NumBuffers, (byte)buffers);
        Put(VirtioNet.NumBuffers + 1, (byte)(buffers >> 8));
    }

    /// <summary>Writes a byte of the first buffer, whose header may be in pieces.</summary>
    private void Put(uint offset, byte value)
    {
        int i = 0;
        ulong inside = offset;
        while (inside >= _pieces[i].Length)
            inside -= _pieces[i++].Length;
        _pieces[i].Base[inside] = value;
    }

    private struct Held
    {
        public ushort Head;
        public int Pieces;
        public uint Length;
    }
}
