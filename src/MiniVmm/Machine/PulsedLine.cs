using MiniVmm.Devices;

namespace MiniVmm.Machine;

/// <summary>An edge on a line without a file: it goes up and down before the call returns; nothing is allocated.</summary>
internal sealed class PulsedLine(ILevelInterrupt line) : IInterruptTrigger
{
    public void Trigger()
    {
        line.Set(true);
        line.Set(false);
    }
}
