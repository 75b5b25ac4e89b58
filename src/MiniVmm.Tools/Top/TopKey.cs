namespace MiniVmm.Tools.Top;

/// <summary>What a key asks for.</summary>
internal enum TopKey
{
    None,
    Up,
    Down,
    Exits,
    Devices,
    Back,
    Quit,

    /// <summary>The job stops, as a shell has it.</summary>
    Suspend,
}
