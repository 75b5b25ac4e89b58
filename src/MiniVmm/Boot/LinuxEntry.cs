using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// What every Linux kernel gets for its 64-bit or 32-bit entry: GDT, page tables for the former, command line, RAM
/// disk, boot_params in RSI (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol", "32-bit Boot Protocol").
/// </summary>
internal static class LinuxEntry
{
    /// <summary>Places all of it, after the kernel itself.</summary>
    /// <exception cref="BadInputException">
    /// A command line that is too long, no room, an entry point out of reach, or modules.
    /// </exception>
    public static EntryTables Complete(
        LoadPlan plan, BootRequest request, LinuxSetupHeader header, ulong loadAddress, ulong entry)
    {
        if (request.Modules is [{ } module, ..])
        {
            throw new BadInputException(
                $"{module.File.Path}: {request.KernelName} is entered by the Linux boot protocol, which has no modules; " +
                $"give its RAM disk with {OptionName.Initrd}");
        }

        if (entry >= LongModeTables.MappedEnd)
        {
            throw new BadInputException(
                $"{request.KernelName}: the entry point 0x{entry:x} is above 4 GiB, out of reach at the entry");
        }

        EntryTables tables = EntryTables.Place(plan, request, header.Mode, entry);
        byte[] line = KernelCommandLine.Encode(request.KernelName, request.CommandLine, header.CommandLineSize);
        ulong commandLine = KernelCommandLine.Place(plan, line);
        GuestRange? initrd = InitialRamDisk.Place(plan, request, header.InitrdLimit, header.InitrdMayLieHigh);
        ulong zeroPage = plan.RoomFor(
            LinuxBootParams.Name, LinuxBootParams.Size, MemoryLayout.ZeroPage, LinuxBootParams.Size);
        byte[] parameters = LinuxBootParams.Build(
            header, loadAddress, commandLine, initrd, plan.Memory, tables.Firmware.Rsdp, request.HasTextScreen);
        plan.Add(new(LinuxBootParams.Name, zeroPage, parameters));
        return tables with { Entry = tables.Entry with { Rsi = zeroPage } };
    }
}
