using System.Runtime.InteropServices;
using System.Text;

namespace MiniVmm.Teaching.Compare;

/// <summary>The beginning of what a stream gives; the rest is read, so that nobody waits to write it, and dropped.</summary>
/// <param name="most">Bytes that are kept.</param>
internal sealed class BoundedText(int most)
{
    private const int ReadBytes = 16 * 1024;

    private readonly Lock _lock = new();
    private readonly List<byte> _bytes = [];

    /// <summary>What has come so far, as UTF-8.</summary>
    public string Text
    {
        get
        {
            lock (_lock)
                return Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(_bytes));
        }
    }

    /// <summary>Reads a stream to its end on a thread of its own.</summary>
    public Task Follow(Stream stream) => Task.Factory.StartNew(
        () => Read(stream), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Read(Stream stream)
    {
        byte[] buffer = new byte[ReadBytes];
        try
        {
            while (stream.Read(buffer) is > 0 and int got)
            {
                lock (_lock)
                    _bytes.AddRange(buffer.AsSpan(0, Math.Min(got, most - _bytes.Count)));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Its end, too.
        }
    }
}
