using System.Runtime.InteropServices;
using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio.Rng;

/// <summary>
/// The entropy device (virtio 1.2, 5.4): random bytes of the host's kernel, written by getrandom(2) straight into the
/// guest's buffers.
/// </summary>
internal sealed unsafe class VirtioRng : IVirtioDevice, ITracedRequests
{
    /// <summary>Most bytes for one request, however long its buffers are: 5.4.6 asks for one or more.</summary>
    public const int MostBytes = 64 * 1024;

    private static readonly ushort[] Sizes = [16];
    private RequestQueue? _requests;

    public uint DeviceType => 4;

    public DeviceTrace? Trace
    {
        set => _requests!.Trace = value;
    }

    public ulong Features => 0;

    public IReadOnlyList<ushort> QueueSizes => Sizes;

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        _requests = new RequestQueue(interrupt, threads[0], chain => Fill(chain.Writable));
    }

    public void ReadConfiguration(uint offset, Span<byte> data) => data.Clear();

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        // It has none.
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        _requests!.Activate(queues[0]);
    }

    public void Notify(int queue) => _requests!.Notify();

    public string StateName => "virtio-rng";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        // Nothing but its queue.
    }

    public void Restore(StateReader reader)
    {
        // Nothing but its queue.
    }

    public void Reset() => _requests!.Reset();

    public void Dispose() => _requests?.Dispose();

    /// <returns>Bytes written.</returns>
    private static uint Fill(ReadOnlySpan<IoVector> pieces)
    {
        uint written = 0;
        foreach (IoVector piece in pieces)
        {
            ulong wanted = Math.Min(piece.Length, MostBytes - written);
            for (ulong done = 0; done < wanted;)
            {
                nint got = Linux.GetRandom(piece.Base + done, (nuint)(wanted - done), 0);
                if (got > 0)
                {
                    done += (ulong)got;
                    written += (uint)got;
                }
                else if (Marshal.GetLastPInvokeError() != Errno.EINTR)
                {
                    return written; // the host has no page left for the buffer
                }
            }
        }

        return written;
    }
}
