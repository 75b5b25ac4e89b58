using MiniVmm.Machine;

namespace MiniVmm.Cli.Qemu;

/// <summary>What a command line of QEMU's asks for, in MiniVmm's terms.</summary>
internal sealed record QemuMachine
{
    public required MachineOptions Options { get; init; }

    /// <summary>Whether a reset ends the machine; without, it starts again.</summary>
    public bool EndsAtReset { get; init; }

    /// <summary>Whether the process stays after the guest has powered off, or reset where that ends it.</summary>
    public bool StaysAfterShutdown { get; init; }

    /// <summary>Whether it waits for <c>minivmm ctl</c> before its first instruction.</summary>
    public bool StartsPaused { get; init; }

    /// <summary>Whether it runs on in a process without a terminal, once it is there.</summary>
    public bool Daemonizes { get; init; }

    /// <summary>The file that holds the process' ID; null for none.</summary>
    public string? PidFile { get; init; }

    /// <summary>What of QEMU's log is written; null for nothing.</summary>
    public QemuLogRequest? Log { get; init; }

    /// <summary>By which option each file of a disk or of firmware was given.</summary>
    public required IReadOnlyDictionary<string, string> Spellings { get; init; }

    /// <summary>What has no effect, a line each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
