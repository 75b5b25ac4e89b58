using MiniVmm.Pci;

namespace MiniVmm.Machine;

/// <summary>The drives of a PC that have controllers of their own: IDE, and floppies where there are any.</summary>
internal sealed class PcDrives : IDisposable
{
    private readonly IdeDrives _ide;
    private readonly FloppyDrives? _floppies;

    /// <inheritdoc cref="IdeDrives(MachineCore, PciBus, MachineOptions, Action{OptionMessage})"/>
    public PcDrives(MachineCore core, PciBus? pci, MachineOptions options, Action<OptionMessage> warn)
    {
        _ide = new IdeDrives(core, pci, options, warn);
        try
        {
            if (options.Floppies.Any())
                _floppies = new FloppyDrives(core, options, warn);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <exception cref="HostLimitException">No more threads.</exception>
    public void Start()
    {
        _ide.Start();
        _floppies?.Start();
    }

    /// <summary>Waits until no drive is at work, and keeps it so until <see cref="Resume"/>.</summary>
    public void Park()
    {
        _ide.Park();
        _floppies?.Park();
    }

    public void Resume()
    {
        _ide.Resume();
        _floppies?.Resume();
    }

    public void Dispose()
    {
        _floppies?.Dispose();
        _ide.Dispose();
    }
}
