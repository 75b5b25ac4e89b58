using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>A device that copies what it reads to where it may write, and counts what its transport does.</summary>
public sealed class EchoDevice(params IReadOnlyList<ushort> queueSizes) : IVirtioDevice
{
    private const int Bound = 64;
    private readonly byte[] _configuration = new byte[8];
    private IVirtioInterrupt _interrupt = null!;
    private IReadOnlyList<Virtqueue> _queues = [];
    private DescriptorChain[] _chains = [];

    public uint DeviceType => 42;

    public ulong Features { get; init; } = 0b1010;

    public IReadOnlyList<ushort> QueueSizes => queueSizes;

    public int Threads { get; init; } = 1;

    public int ThreadOf(int queue) => queue % Threads;

    public bool IsActive => _queues.Count != 0;

    public int Activations { get; private set; }

    public int Resets { get; private set; }

    /// <summary>What was negotiated.</summary>
    public ulong Negotiated { get; private set; }

    public IReadOnlyList<Virtqueue> Queues => _queues;

    /// <summary>Runs at the start of each notification.</summary>
    public Action<int>? Notified { get; set; }

    /// <summary>Does something else with a chain, and says how many bytes it wrote.</summary>
    public Func<DescriptorChain, uint>? Serve { get; init; }

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads) => _interrupt = interrupt;

    public void ReadConfiguration(uint offset, Span<byte> data)
    {
        data.Clear();
        if (offset < _configuration.Length)
            _configuration.AsSpan((int)offset, Math.Min(data.Length, _configuration.Length - (int)offset)).CopyTo(data);
    }

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        if (offset < _configuration.Length && data.Length <= _configuration.Length - (int)offset)
            data.CopyTo(_configuration.AsSpan((int)offset));
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        Activations++;
        Negotiated = features;
        _queues = queues;
        if (_chains.Length == 0)
            _chains = [.. queues.Select(queue => new DescriptorChain(queue.LongestChain))];
    }

    public void Notify(int queue)
    {
        Notified?.Invoke(queue);
        if (!IsActive)
            return;
        Virtqueue at = _queues[queue];
        DescriptorChain chain = _chains[queue];
        at.SuppressNotifications();
        int left = Bound;
        do
        {
            while (left-- > 0 && at.TryTake(chain))
                at.Complete(chain.Head, Serve?.Invoke(chain) ?? Copy(chain));
        }
        while (at.ResumeNotifications() && left > 0);
        if (at.ShouldInterrupt())
            _interrupt.QueueUsed(queue);
        if (at.Error != ChainError.None)
            _interrupt.NeedsReset();
    }

    public string StateName => "echo";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer) => writer.WriteBytes(_configuration);

    public void Restore(StateReader reader)
    {
        ReadOnlySpan<byte> configuration = reader.ReadBytes(_configuration.Length);
        reader.Check(configuration.Length == _configuration.Length, $"{configuration.Length} bytes of configuration");
        configuration.CopyTo(_configuration);
    }

    public void Reset()
    {
        Resets++;
        _queues = [];
    }

    public void Dispose()
    {
        foreach (DescriptorChain chain in _chains)
            chain.Dispose();
    }

    private static unsafe uint Copy(DescriptorChain chain)
    {
        uint copied = 0;
        int piece = 0;
        ulong at = 0;
        foreach (IoVector from in chain.Readable)
        {
            for (ulong i = 0; i < from.Length && piece < chain.Writable.Length; i++)
            {
                chain.Writable[piece].Base[at] = from.Base[i];
                copied++;
                if (++at == chain.Writable[piece].Length)
                    (piece, at) = (piece + 1, 0);
            }
        }

        return copied;
    }
}
