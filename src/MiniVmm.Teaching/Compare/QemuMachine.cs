using System.Globalization;

namespace MiniVmm.Teaching.Compare;

/// <summary>A machine of QEMU's with a kernel, and QEMU's command line for it.</summary>
internal sealed record QemuMachine
{
    /// <summary>QEMU's name or path.</summary>
    public required string Program { get; init; }

    /// <summary>-M: pc, q35 or microvm.</summary>
    public required string Type { get; init; }

    public required string Kernel { get; init; }

    /// <summary>Null for none.</summary>
    public string? Initrd { get; init; }

    public string CommandLine { get; init; } = "";

    public required string Cpu { get; init; }

    /// <summary>As -smp has it.</summary>
    public required string Smp { get; init; }

    /// <summary>Bytes.</summary>
    public required ulong Ram { get; init; }

    /// <summary>
    /// What QEMU is started with: the machine without the devices that only QEMU would add by itself, with the debug exit that
    /// MiniVmm's has.
    /// </summary>
    /// <param name="log">File that gets the trace.</param>
    public IReadOnlyList<string> Words(string log) =>
    [
        "-M", Type, "-accel", "kvm", "-cpu", Cpu, "-smp", Smp, "-m", string.Create(CultureInfo.InvariantCulture, $"{Ram >> 10}K"),
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-kernel", Kernel, .. Initrd is null ? (string[])[] : ["-initrd", Initrd], "-append", CommandLine,
        "-msg", "timestamp=on", "-D", log, .. QemuTraceReader.Events.SelectMany(name => (string[])["-trace", $"enable={name}"]),
    ];
}
