using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// What every kernel finds in memory: the firmware's tables, and the GDT, stack and page tables for its entry. They are
/// placed after the kernel, which has the first choice of addresses.
/// </summary>
/// <param name="Entry">How the kernel is entered; a protocol adds its registers.</param>
/// <param name="Firmware">Where the firmware's tables are.</param>
internal sealed record EntryTables(EntryState Entry, FirmwarePlaces Firmware)
{
    /// <summary>Places them for a kernel with Linux's selectors.</summary>
    /// <exception cref="BadInputException">The kernel leaves no room.</exception>
    public static EntryTables Place(LoadPlan plan, BootRequest request, EntryMode mode, ulong rip)
    {
        FirmwarePlaces firmware = request.Firmware.Place(plan);
        GuestRange gdt = PlaceGdt(plan, FlatGdt.Build(mode), address => FlatGdt.Build(mode, address));
        EntryState entry = new(mode, rip) { Gdt = gdt, Rsp = PlaceStack(plan) };
        if (mode == EntryMode.Long64)
            entry = entry with { PageTable = PlacePageTables(plan) };
        return new(entry, firmware);
    }

    /// <summary>Places a stack alone for a program in real mode, which brings its own GDT.</summary>
    /// <inheritdoc cref="Place" path="/exception"/>
    public static EntryTables PlaceForRealMode(LoadPlan plan, BootRequest request, ulong rip, ulong rdx)
    {
        FirmwarePlaces firmware = request.Firmware.Place(plan);
        return new(new(EntryMode.Real16, rip) { Gdt = default, Rsp = PlaceStack(plan), Rdx = rdx }, firmware);
    }

    /// <summary>Places them for a multiboot kernel, which has QEMU's selectors.</summary>
    /// <inheritdoc cref="Place" path="/exception"/>
    public static EntryTables PlaceForMultiboot(LoadPlan plan, BootRequest request, ulong rip)
    {
        FirmwarePlaces firmware = request.Firmware.Place(plan);
        EntryState entry = new(EntryMode.Protected32, rip)
        {
            Gdt = PlaceGdt(plan, FlatGdt.BuildMultiboot(), FlatGdt.BuildMultiboot),
            CodeSelector = FlatGdt.MultibootCodeSelector,
            DataSelector = FlatGdt.MultibootDataSelector,
            Rsp = PlaceStack(plan),
        };
        return new(entry, firmware);
    }

    /// <summary>The finished image, from a plan that holds all segments.</summary>
    public BootImage Image(
        LoadPlan plan, string format, IReadOnlyList<string> notes, IDisposable? unpacked = null) => new()
        {
            Format = format,
            Segments = plan.Segments,
            Memory = plan.Memory,
            Entry = Entry,
            Firmware = Firmware,
            Notes = [.. notes, .. plan.Moves],
            Unpacked = unpacked is null ? [] : [unpacked],
        };

    private static GuestRange PlaceGdt(LoadPlan plan, LoadSegment usual, Func<ulong, LoadSegment> at)
    {
        LoadSegment gdt = at(plan.RoomFor(usual.Name, usual.MemorySize, usual.Address));
        plan.Add(gdt);
        return gdt.Range;
    }

    private static ulong PlacePageTables(LoadPlan plan)
    {
        const ulong page = 4 * MemoryLayout.KiB;
        LoadSegment tables = LongModeTables.Build(
            plan.RoomFor("boot page tables", LongModeTables.Size, MemoryLayout.PageTables, page));
        plan.Add(tables);
        return tables.Address;
    }

    /// <returns>The top of the stack.</returns>
    private static ulong PlaceStack(LoadPlan plan)
    {
        const string name = "boot stack";
        const ulong size = MemoryLayout.BootStackTop - MemoryLayout.BootStack;
        ulong address = plan.RoomFor(name, size, MemoryLayout.BootStack);
        plan.Add(name, address, default, size);
        return address + size;
    }
}
