namespace MiniVmm.Virtio.Block;

/// <summary>
/// The threads on which a disk's requests wait for the host. None is there before there is something to do; each
/// stays, and nothing is allocated to hand it a request.
/// </summary>
/// <param name="name">Of the threads; the kernel shows 15 bytes.</param>
/// <param name="most">Threads.</param>
/// <param name="work">Does a request.</param>
internal sealed class BlockWorkers(string name, int most, Action<BlockRequest> work) : IDisposable
{
    private readonly object _gate = new();
    private readonly List<Thread> _threads = new(most);
    private BlockRequest? _first;
    private BlockRequest? _last;
    private int _idle;
    private bool _ends;

    /// <summary>Has it done by the next thread that is free.</summary>
    /// <returns>False where the host gives no thread at all: the caller does it.</returns>
    public bool TryHand(BlockRequest request)
    {
        lock (_gate)
        {
            if (_idle == 0 && !(_threads.Count < most && TryStart()) && _threads.Count == 0)
                return false;
            request.Next = null;
            if (_last == null)
                _first = request;
            else
                _last.Next = request;
            _last = request;
            if (_idle > 0)
            {
                // Spoken for: a second request does not count on the same thread.
                _idle--;
                Monitor.Pulse(_gate);
            }
        }

        return true;
    }

    /// <summary>Ends the threads; nothing is handed to them any more.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _ends = true;
            Monitor.PulseAll(_gate);
        }

        foreach (Thread thread in _threads)
            thread.Join();
    }

    private bool TryStart()
    {
        var thread = new Thread(Main, maxStackSize: 256 * 1024) { IsBackground = true, Name = name };
        try
        {
            thread.Start();
        }
        catch (Exception e) when (e is ThreadStartException or OutOfMemoryException)
        {
            return false;
        }

        _threads.Add(thread);
        return true;
    }

    private void Main()
    {
        while (TryNext(out BlockRequest? request))
            work(request);
    }

    private bool TryNext([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out BlockRequest? request)
    {
        lock (_gate)
        {
            while (_first == null && !_ends)
            {
                _idle++;
                Monitor.Wait(_gate);
            }

            request = _first;
            if (request == null)
                return false;
            _first = request.Next;
            if (_first == null)
                _last = null;
            return true;
        }
    }
}
