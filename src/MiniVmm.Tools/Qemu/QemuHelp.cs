using System.Reflection;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Cli.Qemu;
using MiniVmm.Tools.Reference;
using Spectre.Console;

namespace MiniVmm.Tools.Qemu;

/// <summary>The answers to what a command line of QEMU's may ask.</summary>
internal static class QemuHelp
{
    /// <param name="question">As <see cref="QemuQuestion.Find"/> has it.</param>
    public static int Print(string question)
    {
        switch (question)
        {
            case "help-qemu":
                PrintTable();
                break;
            case "version":
                // Scripts look for the first words, and for a number that they know.
                Standard.Output.WriteLine($"QEMU emulator version 10.0.0 as MiniVmm {Version} understands it");
                break;
            case "cpu":
                return CpuModelList.Print();
            case "M" or "machine":
                Standard.Output.WriteLine("""
                    Supported machines are:
                    microvm              virtio devices on MMIO
                    pc                   virtio devices on a PCI bus (default)
                    q35                  the same
                    """);
                break;
            case "accel":
                Standard.Output.WriteLine("Accelerators supported in QEMU binary:\nkvm");
                break;
            case "device":
                Standard.Output.WriteLine(QemuOptions.Find("-device")!.Note);
                break;
            case "d":
                Standard.Output.WriteLine("Log items (comma separated):");
                foreach (QemuLogItem item in QemuLogItem.All)
                    Standard.Output.WriteLine($"{item.Name,-15} {item.Note ?? "no effect: KVM runs the guest"}");
                break;
            default:
                foreach (string paragraph in (ReadOnlySpan<string>)
                [
                    "usage: minivmm qemu OPTION... or, by a link of that name, qemu-system-x86_64 OPTION...",
                    "",
                    "Takes QEMU's command line, and runs the machine under MiniVmm.",
                    "`minivmm qemu --help-qemu` lists what each option does; `minivmm run --help` has MiniVmm's own.",
                ])
                {
                    foreach (string line in HelpText.Wrap(paragraph, Math.Clamp(ShowHelp.Width, HelpText.FewestColumns, HelpText.MostColumns)))
                        Standard.Output.WriteLine(line);
                }

                break;
        }

        return ExitStatus.Success;
    }

    private static string Version =>
        typeof(QemuHelp).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private static void PrintTable()
    {
        IAnsiConsole console = Tables.StandardOutput();
        foreach ((QemuTreatment treatment, string title) in (ReadOnlySpan<(QemuTreatment, string)>)
        [
            (QemuTreatment.Used, "used"),
            (QemuTreatment.Accepted, "accepted: changes nothing that is seen"),
            (QemuTreatment.Ignored, "no effect, which is said in a line"),
            (QemuTreatment.Missing, "missing: an error"),
        ])
        {
            Table table = Tables.New(title, "");
            foreach (QemuOption option in QemuOptions.All)
            {
                if (option.Treatment == treatment)
                    table.AddRow(Markup.Escape($"-{option.Name} {option.Value}"), Markup.Escape(option.Note));
            }

            console.Write(table);
            console.WriteLine();
        }
    }
}
