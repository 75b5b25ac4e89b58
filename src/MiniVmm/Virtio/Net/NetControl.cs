using System.Buffers.Binary;
using MiniVmm.Host;

namespace MiniVmm.Virtio.Net;

/// <summary>The control queue's commands (virtio 1.2, 5.1.6.5), of those that the driver may give.</summary>
internal sealed class NetControl(VirtioNet device) : IDisposable
{
    // Several times what any queue of a card's holds.
    private const int MostPerPass = 1024;

    // Class, command, and as much of the data as any command is looked at for.
    private const int MostBytes = 2 + sizeof(ulong);

    private const byte Ok = 0;
    private const byte Error = 1;

    private DescriptorChain? _chain;
    private Virtqueue? _queue;

    public void Begin(Virtqueue queue)
    {
        _chain ??= new DescriptorChain(queue.LongestChain);
        _queue = queue;
    }

    public void End() => _queue = null;

    /// <returns>True where the driver wants to hear of it.</returns>
    public unsafe bool Run(out bool broken)
    {
        broken = false;
        if (_queue is not { } queue || _chain is not { } chain)
            return false;
        Span<byte> command = stackalloc byte[MostBytes];
        int left = MostPerPass;
        do
        {
            queue.SuppressNotifications();
            while (left-- > 0 && queue.TryTake(chain))
            {
                byte answer = Perform(command[..Copy(chain.Readable, command)], chain.ReadableLength);
                if (chain.WritableLength != 0)
                    *chain.Writable[0].Base = answer;
                queue.Complete(chain.Head, Math.Min(chain.WritableLength, 1));
            }
        }
        while (left > 0 && queue.ResumeNotifications());
        broken = queue.Error != ChainError.None || left <= 0; // no driver has that many to say at once
        return queue.ShouldInterrupt();
    }

    public void Dispose() => _chain?.Dispose();

    /// <summary>Once: what the driver changes afterwards is not looked at.</summary>
    private static unsafe int Copy(ReadOnlySpan<IoVector> pieces, Span<byte> command)
    {
        int count = 0;
        foreach (ref readonly IoVector piece in pieces)
        {
            int here = (int)Math.Min(piece.Length, (ulong)(command.Length - count));
            new ReadOnlySpan<byte>(piece.Base, here).CopyTo(command[count..]);
            count += here;
        }

        return count;
    }

    private byte Perform(ReadOnlySpan<byte> command, uint length)
    {
        if (command.Length < 2)
            return Error;
        ReadOnlySpan<byte> data = command[2..];
        bool done = (command[0], command[1]) switch
        {
            // Filters of what is received: a card may pass on more than was asked for (5.1.6.5.1, 5.1.6.5.3).
            (0, <= 1) => device.Negotiated(NetFeatures.CtrlRx) && data.Length == 1,
            (0, <= 5) => device.Negotiated(NetFeatures.CtrlRxExtra) && data.Length == 1,
            (1, 0) => device.Negotiated(NetFeatures.CtrlRx) && length >= 2 + (2 * sizeof(uint)),
            (1, 1) => data.Length == 6 && device.TrySetMac(data),
            (2, <= 1) => device.Negotiated(NetFeatures.CtrlVlan) && data.Length == 2,
            (4, 0) => data.Length == 2 && device.TrySetPairs(BinaryPrimitives.ReadUInt16LittleEndian(data)),
            (5, 0) => data.Length == 8 && device.TrySetOffloads(BinaryPrimitives.ReadUInt64LittleEndian(data)),
            _ => false,
        };
        return done ? Ok : Error;
    }
}
