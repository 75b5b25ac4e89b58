using System.Text;
using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Sharing;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio.Share;

/// <summary>
/// A shared folder by the 9P transport device (device type 9; virtio 1.2 has only its number, Linux' net/9p/trans_virtio.c the rest): each
/// chain is a request of <see cref="NineServer"/>'s and room for the answer.
/// </summary>
internal sealed unsafe class VirtioShare : IVirtioDevice, IDeviceCounters, ITracedRequests
{
    private const ulong HasTag = 1; // VIRTIO_9P_MOUNT_TAG
    private static readonly ushort[] Sizes = [128];
    private readonly NineServer _server;
    private readonly byte[] _configuration;
    private byte[] _request = [];
    private byte[] _answer = [];
    private RequestQueue? _requests;
    private long _served;
    private long _failures;
    private long _readBytes;
    private long _writtenBytes;

    /// <param name="folder">What is shared; the device's to dispose of.</param>
    /// <param name="tag">What the guest calls it.</param>
    public VirtioShare(SharedFolder folder, string tag)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(tag);
        _server = new NineServer(folder, firstReservedFile: FileLimit.FirstReserved(folder.Descriptor));
        byte[] name = Encoding.UTF8.GetBytes(tag);
        _configuration = [(byte)name.Length, (byte)(name.Length >> 8), .. name];
    }

    public uint DeviceType => 9;

    public ulong Features => HasTag;

    public IReadOnlyList<ushort> QueueSizes => Sizes;

    public string Kind => "share";

    public DeviceTrace? Trace
    {
        set => _requests!.Trace = value;
    }

    public string StateName => "virtio-9p";

    public ushort StateVersion => 1;

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        _requests = new RequestQueue(interrupt, threads[0], Serve, mayWait: true);
    }

    public void ReadConfiguration(uint offset, Span<byte> data)
    {
        data.Clear();
        if (offset < (uint)_configuration.Length)
        {
            ReadOnlySpan<byte> rest = _configuration.AsSpan((int)offset);
            rest[..Math.Min(rest.Length, data.Length)].CopyTo(data);
        }
    }

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        // The guest changes nothing in it.
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        if (_request.Length == 0)
            (_request, _answer) = (new byte[NineServer.LongestMessage], new byte[NineServer.LongestMessage]);
        _requests!.Activate(queues[0]);
    }

    public void Notify(int queue) => _requests!.Notify();

    public void Save(StateWriter writer)
    {
        // A machine with open files of the host's is not saved.
    }

    public void Restore(StateReader reader)
    {
        // Nor restored.
    }

    public void Reset()
    {
        _requests!.Reset();
        _server.Reset();
    }

    public IReadOnlyDictionary<string, long> ReadCounters() => new Dictionary<string, long>
    {
        ["requests"] = Volatile.Read(ref _served),
        ["readBytes"] = Volatile.Read(ref _readBytes),
        ["writtenBytes"] = Volatile.Read(ref _writtenBytes),
        ["failures"] = Volatile.Read(ref _failures),
    };

    public void Dispose()
    {
        _requests?.Dispose();
        _server.Dispose();
    }

    /// <returns>Bytes written.</returns>
    private uint Serve(DescriptorChain chain)
    {
        int length = (int)Math.Min(chain.ReadableLength, (uint)_request.Length);
        int room = (int)Math.Min(chain.WritableLength, (uint)_answer.Length);
        Span<byte> request = _request.AsSpan(0, length);
        if (!new IoCursor(chain.Readable).TryCopyOut(request))
            return 0;
        int answered = _server.Answer(request, _answer.AsSpan(0, room));
        if (answered > 0)
        {
            fixed (byte* answer = _answer)
                new IoCursor(chain.Writable).CopyIn(answer, (ulong)answered);
            Count(request, answered);
        }

        return (uint)answered;
    }

    private void Count(ReadOnlySpan<byte> request, int answered)
    {
        NineMessage kind = (NineMessage)request[4];
        Interlocked.Increment(ref _served);
        if ((NineMessage)_answer[4] == NineMessage.Rlerror)
            Interlocked.Increment(ref _failures);
        else if (kind == NineMessage.Tread)
            Interlocked.Add(ref _readBytes, answered);
        else if (kind == NineMessage.Twrite)
            Interlocked.Add(ref _writtenBytes, request.Length);
    }
}
