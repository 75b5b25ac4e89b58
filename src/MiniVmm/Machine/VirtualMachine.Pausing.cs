using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>A machine whose time stands still.</summary>
public sealed partial class VirtualMachine
{
    /// <summary>How long a pause waits for a vCPU that is in a device; less than <c>ctl</c> waits for its answer.</summary>
    private static readonly TimeSpan LongestExit = TimeSpan.FromSeconds(3);

    private readonly Lock _pausing = new();
    private bool _isLive; // between its start and its end
    private volatile PauseReasons _pausedBy; // written under the lock

    /// <summary>Whether the machine is paused, or will be as soon as it starts.</summary>
    public bool IsPaused => _pausedBy != PauseReasons.None;

    /// <summary>
    /// Stops the guest's time: when the task completes, no vCPU is in the guest, each has finished its instruction, and the
    /// devices' threads are idle; requests that they had begun are done. Before the start it holds the guest back. Without
    /// effect on a machine that is paused or has ended.
    /// </summary>
    /// <exception cref="HostLimitException">
    /// A device has held up a vCPU for seconds, as a console whose reader does not read; the machine runs on.
    /// </exception>
    /// <exception cref="KvmException">KVM does not tell the guest's time; the machine runs on.</exception>
    public Task PauseAsync() => Task.Run(() => Pause());

    /// <summary>Lets the guest go on, unless gdb has stopped it too; without effect on a machine that is not paused.</summary>
    /// <exception cref="KvmException">KVM does not take the guest's time back.</exception>
    public Task ResumeAsync() => Task.Run(() => Resume());

    /// <summary><see cref="PauseAsync"/>, waited for here: seconds at most.</summary>
    internal void Pause(PauseReasons reason = PauseReasons.User)
    {
        lock (_pausing)
        {
            if (!IsPaused && _isLive)
                Freeze();
            _pausedBy |= reason;
        }
    }

    /// <inheritdoc cref="ResumeAsync"/>
    internal void Resume(PauseReasons reason = PauseReasons.User)
    {
        lock (_pausing)
        {
            if (!IsPaused)
                return;
            if (_pausedBy == reason && _isLive)
                Thaw();
            _pausedBy &= ~reason;
        }
    }

    private void Freeze()
    {
        _core.Vcpus.Pause(LongestExit);
        _devices?.Park();
        _drives?.Park();
        _clockTimer?.Park();
        try
        {
            _time.Stop();
        }
        catch
        {
            _devices?.Resume();
            _drives?.Resume();
            _clockTimer?.Resume();
            _core.Vcpus.Resume();
            throw;
        }
    }

    private void Thaw()
    {
        _time.GoOn(_core.Vcpus);
        _devices?.Resume();
        _drives?.Resume();
        _clockTimer?.Resume();
        _core.Vcpus.Resume();
    }
}
