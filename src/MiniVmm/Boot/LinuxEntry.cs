using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// What every Linux kernel gets for its 64-bit entry: page tables, GDT, command line, RAM disk, boot_params in RSI
/// (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol").
/// </summary>
internal static class LinuxEntry
{
    /// <summary>Places all of it beside a kernel that lies already.</summary>
    /// <exception cref="BadInputException">
    /// A command line that is too long, no room, or an entry point out of reach.
    /// </exception>
    public static EntryTables Complete(
        LoadPlan plan, BootRequest request, LinuxSetupHeader header, ulong loadAddress, ulong entry)
    {
        if (entry >= LongModeTables.MappedEnd)
        {
            throw new BadInputException(
                $"{request.KernelName}: the entry point 0x{entry:x} is above the 4 GiB that are mapped");
        }

        EntryTables tables = EntryTables.Place(plan, request, EntryMode.Long64, entry);
        byte[] line = KernelCommandLine.Encode(request.KernelName, request.CommandLine, header.CommandLineSize);
        ulong commandLine = KernelCommandLine.Place(plan, line);
        GuestRange? initrd = InitialRamDisk.Place(plan, request, header.InitrdLimit, header.InitrdMayLieHigh);
        ulong zeroPage = plan.RoomFor(
            LinuxBootParams.Name, LinuxBootParams.Size, MemoryLayout.ZeroPage, LinuxBootParams.Size);
        byte[] parameters = LinuxBootParams.Build(
            header, loadAddress, commandLine, initrd, plan.Memory, tables.Firmware.Rsdp);
        plan.Add(new(LinuxBootParams.Name, zeroPage, parameters));
        return tables with { Entry = tables.Entry with { Rsi = zeroPage } };
    }
}
