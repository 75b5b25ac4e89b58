namespace MiniVmm.Devices;

/// <summary>
/// How a device ends the virtual machine. The first call counts; the guest may run on for a few instructions.
/// </summary>
public interface IPowerControl
{
    /// <summary>The guest switched itself off.</summary>
    void PowerOff();

    /// <summary>The guest asked for a reset; MiniVmm ends, as QEMU does with -no-reboot.</summary>
    void Reset();

    /// <summary>The guest wrote <paramref name="value"/> to the debug-exit port.</summary>
    void DebugExit(uint value);
}
