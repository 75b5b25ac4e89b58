namespace MiniVmm.Devices;

/// <summary>A level-triggered interrupt line, as a device sees it.</summary>
public interface ILevelInterrupt
{
    /// <summary>
    /// Asserts or de-asserts the line; again the same is nothing new. Safe from any thread, but calls do not commute:
    /// the last one counts. A device calls it outside its own lock.
    /// </summary>
    void Set(bool asserted);
}
