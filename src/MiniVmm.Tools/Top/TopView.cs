namespace MiniVmm.Tools.Top;

/// <summary>What is shown.</summary>
internal enum TopView
{
    /// <summary>All machines, a line each.</summary>
    Machines,

    /// <summary>A machine's exits, by reason and vCPU.</summary>
    Exits,

    /// <summary>Its memory and devices.</summary>
    Devices,
}
