namespace MiniVmm.Display;

/// <summary>Where the guest's screen is shown.</summary>
public enum DisplayKind
{
    /// <summary>
    /// On the terminal, if input and output are one and the guest writes text to its screen that its consoles do not print; else
    /// nowhere while it runs.
    /// </summary>
    Auto,

    /// <summary>Nowhere while the guest runs.</summary>
    None,

    /// <summary>On the terminal, from the start.</summary>
    Tty,

    /// <summary>To VNC clients.</summary>
    Vnc,
}
