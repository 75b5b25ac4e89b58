using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// What every Linux kernel gets for its 64-bit entry: page tables, GDT, command line, RAM disk, boot_params in RSI
/// (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol").
/// </summary>
internal static class LinuxEntry
{
    /// <summary>
    /// A load plan that holds what lies at fixed places, so that a kernel in the way of it is refused.
    /// </summary>
    /// <exception cref="BadInputException">The command line is too long.</exception>
    public static LoadPlan NewPlan(BootRequest request, LinuxSetupHeader header)
    {
        LoadPlan plan = new(request.KernelName, request.Memory);
        plan.Add(FlatGdt.Build(EntryMode.Long64));
        plan.Add(LongModeTables.Build());
        byte[] line = KernelCommandLine.Encode(request.KernelName, request.CommandLine, header.CommandLineSize);
        plan.Add(new("kernel command line", MemoryLayout.CommandLine, line));
        return plan;
    }

    /// <summary>Places the RAM disk and boot_params beside a kernel that lies already.</summary>
    /// <exception cref="BadInputException">No room for the RAM disk, or an entry point out of reach.</exception>
    public static EntryState Complete(
        LoadPlan plan, BootRequest request, LinuxSetupHeader header, ulong loadAddress, ulong entry)
    {
        if (entry >= LongModeTables.MappedEnd)
        {
            throw new BadInputException(
                $"{request.KernelName}: the entry point 0x{entry:x} is above the 4 GiB that are mapped");
        }

        GuestRange? initrd = InitialRamDisk.Place(plan, request, header.InitrdLimit, header.InitrdMayLieHigh);
        plan.Add(LinuxBootParams.Build(header, loadAddress, initrd, request));
        return new(EntryMode.Long64, entry) { Rsi = MemoryLayout.ZeroPage, PageTable = MemoryLayout.PageTables };
    }
}
