using MiniVmm.Host;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio;

/// <summary>The threads of one device, as its transport sees them.</summary>
public interface IDeviceThreads
{
    /// <summary>Returns when none of them is at work, and keeps it so until <see cref="Resume"/>.</summary>
    void Park();

    void Resume();

    /// <summary>Has a queue looked at, as its doorbell does. Allocates nothing, waits for nothing.</summary>
    void Ring(int queue);
}

/// <summary>One device's threads with a doorbell for each of its queues.</summary>
public sealed class DeviceThreads : IDeviceThreads, IDisposable
{
    private readonly DeviceThread[] _threads;
    private readonly EventFd[] _doorbells;

    /// <param name="name">Of the threads, with a number where there are several.</param>
    /// <param name="device">Gets <see cref="IVirtioDevice.Notify"/> from them.</param>
    /// <exception cref="SystemCallException">No more files.</exception>
    public DeviceThreads(string name, IVirtioDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _threads = new DeviceThread[device.Threads];
        _doorbells = new EventFd[device.QueueSizes.Count];
        try
        {
            for (int i = 0; i < _threads.Length; i++)
                _threads[i] = new DeviceThread(_threads.Length == 1 ? name : $"{name}.{i}");
            for (int i = 0; i < _doorbells.Length; i++)
            {
                int queue = i;
                _doorbells[i] = _threads[device.ThreadOf(i)].AddDoorbell(() =>
                {
                    Trace?.Doorbell(queue);
                    device.Notify(queue);
                });
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>
    /// Told, on the thread concerned, what the device threw: the driver is then to be told that it needs a reset, and the
    /// user why. Where nobody is told, it ends the process. Set before <see cref="Start"/>.
    /// </summary>
    public Action<Exception>? Failed
    {
        get => _threads[0].Failed;
        set
        {
            foreach (DeviceThread thread in _threads)
                thread.Failed = value;
        }
    }

    /// <summary>Told of doorbells; null for nobody. Set before <see cref="Start"/>.</summary>
    internal DeviceTrace? Trace { get; set; }

    /// <summary>What the device gets.</summary>
    public IReadOnlyList<IDeviceLoop> Loops => _threads;

    /// <summary>The eventfd of a queue's doorbell, for KVM to signal.</summary>
    public EventFd Doorbell(int queue) => _doorbells[queue];

    /// <exception cref="HostLimitException">No more threads.</exception>
    public void Start()
    {
        foreach (DeviceThread thread in _threads)
            thread.Start();
    }

    public void Park()
    {
        foreach (DeviceThread thread in _threads)
            thread.Park();
    }

    public void Resume()
    {
        for (int i = _threads.Length - 1; i >= 0; i--)
            _threads[i].Resume();
    }

    public void Ring(int queue) => _doorbells[queue].Signal();

    public void Dispose()
    {
        // All of them end before anything is closed that another may still use.
        foreach (DeviceThread? thread in _threads)
            thread?.Stop();
        foreach (DeviceThread? thread in _threads)
            thread?.Dispose();
    }
}
