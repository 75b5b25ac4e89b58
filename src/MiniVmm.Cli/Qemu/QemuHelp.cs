using System.Reflection;
using MiniVmm.Cli.Output;
using Spectre.Console;

namespace MiniVmm.Cli.Qemu;

/// <summary>What a command line of QEMU's may ask instead of a machine.</summary>
internal static class QemuHelp
{
    /// <returns>Whether it asked, and was answered.</returns>
    public static bool TryPrint(ReadOnlySpan<string> options)
    {
        for (int i = 0; i < options.Length; i++)
        {
            if (QemuOptions.Find(options[i]) is not { } option)
                continue;
            string value = option.TakesValue && i + 1 < options.Length ? options[++i] : "";
            switch (option.Name, value)
            {
                case ("help-qemu", _):
                    PrintTable();
                    return true;
                case ("h" or "help", _):
                    Standard.Output.WriteLine("""
                        usage: minivmm qemu OPTION... or, by a link of that name, qemu-system-x86_64 OPTION...

                        Takes QEMU's command line, and runs the machine under MiniVmm.
                        `minivmm qemu --help-qemu` lists what each option does; `minivmm run --help` has MiniVmm's own.
                        """);
                    return true;
                case ("version", _):
                    // Scripts look for the first words, and for a number that they know.
                    Standard.Output.WriteLine($"QEMU emulator version 10.0.0 as MiniVmm {Version} understands it");
                    return true;
                case ("cpu", "help" or "?"):
                    _ = CpuModelList.Print();
                    return true;
                case ("M" or "machine", "help" or "?"):
                    Standard.Output.WriteLine("""
                        Supported machines are:
                        microvm              virtio devices on MMIO
                        pc                   virtio devices on a PCI bus (default)
                        q35                  the same
                        """);
                    return true;
                case ("accel", "help" or "?"):
                    Standard.Output.WriteLine("Accelerators supported in QEMU binary:\nkvm");
                    return true;
                case ("device", "help" or "?"):
                    Standard.Output.WriteLine(QemuOptions.Find("-device")!.Note);
                    return true;
            }
        }

        return false;
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
