using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>A device's threads without a thread: doorbells that ring stay so until the test runs them.</summary>
public sealed class FakeThreads(IVirtioDevice device) : IDeviceThreads
{
    private readonly bool[] _rung = new bool[device.QueueSizes.Count];
    private int _parked;

    /// <summary>What the device is attached to.</summary>
    public IReadOnlyList<FakeLoop> Loops { get; } =
        [.. Enumerable.Range(0, device.Threads).Select(_ => new FakeLoop())];

    /// <summary>How often they were parked so far.</summary>
    public int Parkings { get; private set; }

    public bool IsParked => _parked != 0;

    public void Park()
    {
        _parked++;
        Parkings++;
    }

    public void Resume()
    {
        Assert.True(_parked > 0, "resumed while not parked");
        _parked--;
    }

    public void Ring(int queue) => _rung[queue] = true;

    /// <summary>Whether a doorbell waits to be heard.</summary>
    public bool IsRung(int queue) => _rung[queue];

    /// <summary>Has the device hear each doorbell that rang; says how many.</summary>
    public int Run()
    {
        Assert.False(IsParked, "threads at work while parked");
        int count = 0;
        for (int i = 0; i < _rung.Length; i++)
        {
            if (!_rung[i])
                continue;
            _rung[i] = false;
            count++;
            device.Notify(i);
        }

        return count;
    }
}
