namespace MiniVmm.Machine;

/// <summary>Who wants a machine's time to stand still: it goes on when nobody does.</summary>
[Flags]
internal enum PauseReasons
{
    None = 0,

    /// <summary>Whoever called <see cref="VirtualMachine.PauseAsync"/>, or <c>minivmm ctl</c>.</summary>
    User = 1,

    /// <summary>gdb.</summary>
    Debugger = 2,

    /// <summary>A report on a guest that has gone silent.</summary>
    Report = 4,

    /// <summary>A console that somebody is to connect to first.</summary>
    Console = 8,
}
