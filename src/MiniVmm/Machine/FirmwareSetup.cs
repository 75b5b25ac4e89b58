using MiniVmm.Cpu;
using MiniVmm.Devices;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Terminal;

namespace MiniVmm.Machine;

/// <summary>What a machine with firmware has that others have not, and what its firmware is told.</summary>
internal static class FirmwareSetup
{
    /// <summary>CMOS memory: how many processors there are besides the first.</summary>
    private const byte MoreCpus = 0x5f;

    /// <summary>CMOS memory: what is tried first and second, and third, by SeaBIOS' numbers; bit 0 of the latter as a BIOS of Bochs' has it.</summary>
    private const byte BootFirst = 0x3d, BootThird = 0x38;

    private const long MostVgaBios = 128 * 1024;

    private const string SerialConsole = "etc/sercon-port";
    private const string FailWait = "etc/boot-fail-wait";

    /// <exception cref="BadInputException">An option that firmware makes no use of.</exception>
    public static void Check(MachineOptions options)
    {
        if (options is { FirmwareVariables: not null, Firmware: null })
            throw new BadInputException($"{OptionName.FirmwareVars.With(options.FirmwareVariables)}: are those of {OptionName.Firmware}; give that too");
        if (options is { Smbios: not null, Firmware: null })
            throw new BadInputException($"{OptionName.Smbios}: it is firmware that tells the guest; give {OptionName.Firmware} too");
        if (options.Firmware is null)
            return;
        bool hasKernel = options.Kernel.Length > 0;
        OptionName? needless = options.Modules.Count > 0 ? OptionName.Module
            : hasKernel ? null
            : options.Initrds.Count > 0 ? OptionName.Initrd
            : options.CommandLine.Length > 0 ? OptionName.Append
            : null;
        if (needless is { } option)
            throw new BadInputException($"{option}: is for a kernel, and {OptionName.Firmware.With(options.Firmware)} boots none of that kind");
    }

    /// <summary>Tells the firmware of ACPI and SMBIOS tables and how to show itself.</summary>
    public static void Describe(
        FwCfgItems items, MachineOptions options, FirmwareCpus cpus, IReadOnlyList<AmlDevice> devices, PciRoot? pci, GuestMemoryMap memory)
    {
        TableLoader.AddTo(items, cpus, devices, pci, memory);
        CpuTopology topology = options.Topology;
        SmbiosTables.AddTo(
            items, options.Smbios ?? new(), (topology.Count + topology.ThreadsPerSocket - 1) / topology.ThreadsPerSocket, topology.Cores, topology.Threads, memory);
        items.Set(FwCfgItems.Key.Uuid, (options.Smbios?.Uuid ?? default).ToByteArray(bigEndian: true));
        items.Set16(FwCfgItems.Key.BootMenu, options.BootOrder.HasMenu ? (ushort)1 : (ushort)0);

        string vgaBios = options.Ramfb ? "vgabios-ramfb.bin" : "vgabios-isavga.bin";
        if (VgaBios(options.Firmware!, vgaBios) is { } vga)
            items.TryAddFile($"vgaroms/{vgaBios}", vga);

        // SeaBIOS: its screen on COM1 too; and it waits, instead of trying for ever, where nothing boots.
        if (options.PcDevices.HasFlag(PcDevices.Serial) && !options.FwCfg.Any(file => file.Name == SerialConsole))
            items.TryAddFile(SerialConsole, FwCfgItems.Bytes64(IoPorts.Serial));
        if (!options.FwCfg.Any(file => file.Name == FailWait))
            items.TryAddFile(FailWait, [0xff, 0xff, 0xff, 0xff]);
    }

    /// <summary>
    /// SeaBIOS' own BIOS of a plain VGA or of ramfb, from beside the firmware or where Debian has it: with it int 10h writes to the
    /// text screen's memory too, or draws. Null where there is none.
    /// </summary>
    private static byte[]? VgaBios(string firmware, string name)
    {
        foreach (string folder in (string[])[Path.GetDirectoryName(firmware) ?? "", "/usr/share/seabios", "/usr/share/qemu"])
        {
            string path = Path.Combine(folder, name);
            try
            {
                if (new FileInfo(path) is { Exists: true, Length: <= MostVgaBios })
                    return File.ReadAllBytes(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // One that cannot be read is as good as none.
            }
        }

        return null;
    }

    /// <summary>Puts the chipset and firmware's debug port into a machine.</summary>
    public static void Install(
        MachineCore core, PciHost pci, DeviceSet devices, MachineOptions options, IConsoleSink debugConsole)
    {
        _ = new FirmwareChipset(core.Ports, pci.Bus, core.Interrupts.RoutePci, devices.Find<AcpiPm>()!);
        if (devices.Find<Rtc>() is { } cmos)
        {
            cmos.Preset(MoreCpus, (byte)Math.Min(options.Topology.Count - 1, byte.MaxValue));
            if (options.Floppies.Any())
                FloppyDrives.Tell(cmos, options);
            BootOrder order = options.BootOrder;
            cmos.Preset(BootFirst, (byte)(order.Nibble(0) | (order.Nibble(1) << 4)));
            cmos.Preset(BootThird, (byte)(order.Nibble(2) << 4));
        }

        if (HasDebugPort(options))
            core.Ports.Add(new DebugConsole(debugConsole), "firmware's debug port", IoPorts.FirmwareDebug, 1);
    }

    /// <summary>
    /// Whether firmware finds the port that it says at what it does, and the user has put no debug console there. An exit for each letter
    /// that nobody asked for would be a waste: firmware looks whether the port is there.
    /// </summary>
    public static bool HasDebugPort(MachineOptions options) =>
        options is { Firmware: not null, DebugConsole: not (DebugConsoleKind.Auto or DebugConsoleKind.None) }
        && !(options.PcDevices.HasFlag(PcDevices.DebugConsole) && options.DebugConsolePort == IoPorts.FirmwareDebug);
}
