using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Cli.Qemu;

namespace MiniVmm.Tools.Qemu;

/// <summary>
/// <c>minivmm qemu</c> as help, completion and the manual page show it; what comes behind the word never gets to this
/// parser, as QEMU's options have rules of their own.
/// </summary>
internal sealed class QemuUsage : DocumentedCommand
{
    public QemuUsage()
        : base(QemuCommand.Word, "Run a machine from QEMU's command line; --help-qemu lists what its options do here")
    {
        Arguments.Add(new Argument<string[]>("OPTION")
        {
            Arity = ArgumentArity.ZeroOrMore,
            Description = "As for qemu-system-x86_64",
        });
    }
}
