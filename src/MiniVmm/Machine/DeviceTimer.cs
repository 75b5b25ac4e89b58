using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>
/// A thread for a device whose time comes of itself. It begins when the device first waits for something: most guests
/// never have the device do so, and their machines have no such thread.
/// </summary>
/// <param name="name">The thread's.</param>
/// <param name="device">Called on it.</param>
/// <param name="warn">Takes a line where the host has no thread to give.</param>
internal sealed class DeviceTimer(string name, ITimedDevice device, Action<OptionMessage> warn) : IDeviceTimer, IDisposable
{
    private readonly Lock _beginning = new();
    private DeviceThread? _thread;
    private EventFd? _doorbell;
    private int _parkers;
    private bool _ended; // or could not begin

    public void Wake()
    {
        if (Volatile.Read(ref _doorbell) is { } doorbell)
            doorbell.Signal();
        else
            Begin();
    }

    /// <summary>Keeps the device from being called until <see cref="Resume"/>, whether the thread has begun or not.</summary>
    public void Park()
    {
        lock (_beginning)
        {
            _parkers++;
            _thread?.Park();
        }
    }

    public void Resume()
    {
        lock (_beginning)
        {
            _parkers--;
            _thread?.Resume();
        }
    }

    public void Dispose()
    {
        lock (_beginning)
        {
            _ended = true;
            Volatile.Write(ref _doorbell, null);
            _thread?.Dispose();
        }
    }

    /// <summary>Once in a machine's life, so it may allocate where a vCPU's thread otherwise does not.</summary>
    private void Begin()
    {
        lock (_beginning)
        {
            if (_ended)
                return;
            if (_doorbell is { } doorbell)
            {
                doorbell.Signal(); // another thread began it meanwhile
                return;
            }

            try
            {
                _thread = Start();
            }
            catch (Exception e) when (e is HostLimitException or SystemCallException)
            {
                _ended = true;
                warn($"the {name} raises no interrupts: {e.Message}");
            }
        }
    }

    private DeviceThread Start()
    {
        DeviceThread thread = new(name);
        try
        {
            ILoopTimer? timer = null;
            timer = thread.CreateTimer(() => Call(timer!));
            EventFd doorbell = thread.AddDoorbell(() => Call(timer));
            thread.Failed = failure => warn($"the {name} lost an interrupt: {failure.Message}");
            for (int i = 0; i < _parkers; i++)
                thread.Park();
            doorbell.Signal();
            thread.Start();
            Volatile.Write(ref _doorbell, doorbell);
            return thread;
        }
        catch
        {
            thread.Dispose();
            throw;
        }
    }

    private void Call(ILoopTimer timer)
    {
        TimeSpan delay = device.DoWhatIsDue();
        if (delay == Timeout.InfiniteTimeSpan)
            timer.Stop();
        else
            timer.Start(delay);
    }
}
