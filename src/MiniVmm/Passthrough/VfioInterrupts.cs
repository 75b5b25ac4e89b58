namespace MiniVmm.Passthrough;

/// <summary>
/// Which kind of interrupt a device uses: one at a time, as the guest says, each signalled by eventfds that KVM has as
/// well. One call at a time.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="warn">Takes a line where the host has no vectors for it.</param>
internal sealed class VfioInterrupts(VfioDevice device, Action<string> warn)
{
    private VfioInterrupt? _current;
    private int _count;

    /// <summary>Switches to INTx: VFIO masks it at each interrupt until the guest's end of interrupt.</summary>
    /// <param name="assert">Asserts the guest's line.</param>
    /// <param name="ended">Signalled when the line has fallen.</param>
    public void UseIntx(int assert, int ended)
    {
        if (_current == device.Intx || device.Intx.Count == 0)
            return;
        TurnOff();
        try
        {
            device.SetTriggers(device.Intx, 0, [assert]);
            _current = device.Intx;
            device.SetUnmask(ended);
        }
        catch (VfioException e)
        {
            warn($"no INTx interrupts: {e.Message}");
        }
    }

    /// <summary>Switches to MSI or MSI-X.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="eventFds">For each vector from 0 on.</param>
    public void UseMessages(VfioInterrupt kind, ReadOnlySpan<int> eventFds)
    {
        if (_current == kind && _count == eventFds.Length)
            return;
        TurnOff();
        try
        {
            // The host may have fewer vectors left; the driver then finds that those beyond them are silent.
            ReadOnlySpan<int> wanted = eventFds;
            int possible;
            while ((possible = device.SetTriggers(kind, 0, wanted)) > 0 && possible < wanted.Length)
                wanted = wanted[..possible];
            if (wanted.Length < eventFds.Length)
                warn($"the host has {wanted.Length} interrupt vectors for it, and not {eventFds.Length}");
            (_current, _count) = (kind, eventFds.Length);
        }
        catch (VfioException e)
        {
            warn($"no message-signalled interrupts: {e.Message}");
        }
    }

    /// <summary>Switches all off.</summary>
    public void TurnOff()
    {
        if (_current is { } current)
            device.Disable(current);
        _current = null;
    }
}
