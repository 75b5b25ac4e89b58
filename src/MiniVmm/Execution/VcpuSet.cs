using System.Collections;
using System.Diagnostics;
using MiniVmm.Devices;

namespace MiniVmm.Execution;

/// <summary>
/// The vCPUs of a machine, that start paused, all run or are all paused, and end together. Calls come from one thread at a
/// time; only one more vCPU may come while another thread waits for the end. All of them stay to the end: one that is taken
/// out of the machine is parked.
/// </summary>
public sealed class VcpuSet : IReadOnlyList<VcpuThread>, IProcessorBay, IDisposable
{
    private readonly Lock _changes = new();
    private volatile VcpuThread[] _vcpus = [];
    private bool _started;
    private bool _running;
    private bool _ended;
    private bool _disposed;

    public int Count => _vcpus.Length;

    public VcpuThread this[int index] => _vcpus[index];

    /// <summary>Takes one more; the set disposes of it.</summary>
    /// <exception cref="ObjectDisposedException">The set is disposed of.</exception>
    public void Add(VcpuThread vcpu)
    {
        lock (_changes)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _vcpus = [.. _vcpus, vcpu];
        }
    }

    /// <summary>Starts the threads, which get ready while the caller does, and wait for <see cref="Resume"/>.</summary>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    public void Start()
    {
        lock (_changes)
        {
            _started = true;
            foreach (VcpuThread vcpu in _vcpus)
                vcpu.Start();
        }
    }

    /// <summary>Brings a vCPU that was added later to where the others are: started, running.</summary>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    internal void CatchUp(VcpuThread vcpu)
    {
        lock (_changes)
        {
            if (_started && !_ended)
                vcpu.Start();
            if (_running)
                vcpu.Resume();
        }
    }

    bool IProcessorBay.IsPresent(int index)
    {
        VcpuThread[] vcpus = _vcpus;
        return index < vcpus.Length && !vcpus[index].IsParked;
    }

    void IProcessorBay.TakeOut(int index) => _vcpus[index].Park();

    /// <summary>Waits until no vCPU is in the guest any more, or yet.</summary>
    /// <exception cref="HostLimitException">A thread cannot be pinned.</exception>
    public void WaitUntilOut()
    {
        foreach (VcpuThread vcpu in _vcpus)
            _ = vcpu.WaitUntilOut();
    }

    /// <summary>Has all vCPUs come out of the guest, and waits for it.</summary>
    /// <param name="atMost">How long they may be in devices; null for as long as they like.</param>
    /// <exception cref="HostLimitException">That was not enough for one; all run on.</exception>
    public void Pause(TimeSpan? atMost = null)
    {
        SetRunning(false);
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Pause();
        long start = Stopwatch.GetTimestamp();
        foreach (VcpuThread vcpu in _vcpus)
        {
            if (vcpu.WaitUntilOut(atMost - Stopwatch.GetElapsedTime(start)))
                continue;
            Resume();
            throw new HostLimitException(
                $"vCPU {vcpu.Index} is held up by a device, as by a console whose reader does not read; try again");
        }
    }

    /// <summary>Lets all of them run.</summary>
    public void Resume()
    {
        SetRunning(true);
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Resume();
    }

    /// <summary>Waits for the end of the threads; the lifecycle must have come to its own.</summary>
    public void Join()
    {
        lock (_changes)
            _ended = true;
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Kick();
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Join();
    }

    /// <summary>Closes the vCPUs; their threads must have ended.</summary>
    public void Dispose()
    {
        lock (_changes)
            _disposed = true;
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Dispose();
    }

    public IEnumerator<VcpuThread> GetEnumerator() => ((IEnumerable<VcpuThread>)_vcpus).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private void SetRunning(bool running)
    {
        lock (_changes)
            _running = running;
    }
}
