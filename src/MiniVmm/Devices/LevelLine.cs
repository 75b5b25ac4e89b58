namespace MiniVmm.Devices;

/// <summary>
/// A level-triggered line that follows a device's registers. Its level is worked out under the device's lock, and put on the
/// line without it.
/// </summary>
internal sealed class LevelLine(ILevelInterrupt line)
{
    private bool _asserted;

    /// <summary>Notes the level that the registers want, under the device's lock.</summary>
    /// <returns>Whether it changed: then the caller drives the line, once it has let go of the lock.</returns>
    public bool Want(bool asserted)
    {
        bool changed = asserted != _asserted;
        Volatile.Write(ref _asserted, asserted);
        return changed;
    }

    /// <summary>
    /// Puts the level on the line. Two that changed it may meet here in the wrong order, so each looks again after its call:
    /// whoever calls last leaves the level of the registers.
    /// </summary>
    public void Drive()
    {
        bool asserted;
        do
        {
            asserted = Volatile.Read(ref _asserted);
            line.Set(asserted);
        }
        while (asserted != Volatile.Read(ref _asserted));
    }
}
