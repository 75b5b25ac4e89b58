using System.Collections;
using System.Diagnostics;

namespace MiniVmm.Execution;

/// <summary>
/// The vCPUs of a machine, that start paused, all run or are all paused, and end together. Calls come from one thread at a time.
/// </summary>
public sealed class VcpuSet : IReadOnlyList<VcpuThread>, IDisposable
{
    private readonly List<VcpuThread> _vcpus = [];

    public int Count => _vcpus.Count;

    public VcpuThread this[int index] => _vcpus[index];

    /// <summary>Takes one more; the set disposes of it. Before <see cref="Start"/>.</summary>
    public void Add(VcpuThread vcpu) => _vcpus.Add(vcpu);

    /// <summary>Starts the threads, which get ready while the caller does, and wait for <see cref="Resume"/>.</summary>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    public void Start()
    {
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Start();
    }

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
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Resume();
    }

    /// <summary>Waits for the end of the threads; the lifecycle must have come to its own.</summary>
    public void Join()
    {
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Kick();
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Join();
    }

    /// <summary>Closes the vCPUs; their threads must have ended.</summary>
    public void Dispose()
    {
        foreach (VcpuThread vcpu in _vcpus)
            vcpu.Dispose();
    }

    public IEnumerator<VcpuThread> GetEnumerator() => _vcpus.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
