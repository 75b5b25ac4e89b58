using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// Multiboot 2 kernels, in ELF files of either class or with load addresses in their header (Multiboot 2.0). Entered in
/// 32-bit protected mode with EAX = 0x36d76289 and EBX = the boot information.
/// </summary>
internal static class Multiboot2Loader
{
    private const uint LoaderMagic = 0x36d7_6289;
    private const string Protocol = "multiboot 2";
    private const ulong AddressLimit = 1UL << 32;

    /// <exception cref="BadInputException">A demand that cannot be met, or addresses that lie.</exception>
    public static BootImage Load(BootRequest request, Multiboot2Header header)
    {
        string name = request.KernelName;
        if (header.Unmet is { } unmet)
            throw new BadInputException($"{name}: a multiboot 2 kernel, but {unmet}");

        FramebufferInfo? screen = ChooseScreen(request, header);
        LoadPlan plan = new(name, request.Memory);
        ElfFile? elf = ElfFile.HasMagic(request.Kernel.Span) && header.Addresses is null
            ? ElfFile.Parse(name, request.Kernel)
            : null;
        Placement kernel = elf is null ? PlaceByAddresses(plan, request, header) : PlaceElf(plan, name, elf, header);
        if (kernel.Entry >= AddressLimit)
        {
            throw new BadInputException(
                $"{name}: the entry point 0x{kernel.Entry:x} is above 4 GiB, out of reach in 32-bit mode");
        }

        List<string> notes = [$"multiboot 2 header at 0x{header.Offset:x}"];
        if (header.Relocation is { } range)
        {
            notes.Add($"relocatable to 0x{range.Minimum:x}-0x{range.Maximum:x}: " +
                (kernel.Slide == 0 ? "left where it was linked" : $"moved to 0x{kernel.Base:x}"));
        }

        EntryTables tables = EntryTables.PlaceForMultiboot(plan, request, kernel.Entry);
        List<PlacedModule> modules = PlacedModule.Place(
            plan, request, request.Initrds.Concat(request.Modules), Math.Max(kernel.End, MemoryLayout.HighMemory));
        if (request.IsFromLoader)
            modules = [.. modules.Select(module => module with { File = new(module.File.Words) })];
        Multiboot2Info info = new(plan, name)
        {
            // GRUB's form of the line: what follows the kernel's name.
            CommandLine = request.CommandLine,
            Modules = modules,
            Rsdp = tables.Firmware.RsdpBytes(plan),
            Screen = screen,
            LoadBase = header.Relocation is null ? null : kernel.Base,
        };
        if (elf is not null)
            info.Sections = ElfSections.Place(plan, elf, notes);
        EntryState state = tables.Entry with { Rax = LoaderMagic, Rbx = info.Place() };
        return (tables with { Entry = state }).Image(plan, $"{Protocol}, {kernel.Kind}", notes) with { Framebuffer = screen };
    }

    /// <summary>The framebuffer that the kernel gets; null for the text screen.</summary>
    private static FramebufferInfo? ChooseScreen(BootRequest request, Multiboot2Header header)
    {
        if (request.Framebuffer is { } offer)
        {
            return header.Screen is not null || header.RequiresGraphics || offer.IsAskedFor
                ? offer.Choose(header.Screen?.Width ?? 0, header.Screen?.Height ?? 0)
                : null;
        }

        return header.RequiresGraphics
            ? throw new BadInputException($"{request.KernelName}: a multiboot 2 kernel, but the header at 0x{header.Offset:x} requires a "
                + "console other than EGA text, and the machine has none")
            : null;
    }

    private static Placement PlaceElf(LoadPlan plan, string name, ElfFile elf, Multiboot2Header header)
    {
        GuestRange linked = ElfKernel.Extent(name, elf);
        ulong slide = Slide(plan, name, linked, header.Relocation);
        ulong end = ElfKernel.Place(plan, name, elf, slide);
        ulong entry;
        if (header.Entry is { } own)
        {
            ElfKernel.RequireLoaded(name, elf, "multiboot 2 entry_addr", own);
            entry = own;
        }
        else
        {
            entry = ElfKernel.PhysicalEntry(name, elf);
        }

        return new(unchecked(entry + slide), unchecked(linked.Start + slide), end, slide, elf.Is64 ? "ELF64, 32-bit entry" : "ELF32");
    }

    private static Placement PlaceByAddresses(LoadPlan plan, BootRequest request, Multiboot2Header header)
    {
        string name = request.KernelName;
        if (header.Addresses is not { } addresses || header.Entry is not { } entry)
        {
            throw new BadInputException($"{name}: the multiboot 2 header at 0x{header.Offset:x} lacks " +
                $"{(header.Addresses is null ? "an address tag (2)" : "an entry address tag (3)")}, which a kernel " +
                "that is not loaded as an ELF file must have");
        }

        MultibootImage image = MultibootImage.FindFromStart(name, Protocol, request.Kernel, header.Offset, addresses);
        image.RequireLoaded(name, "multiboot 2 entry_addr", entry);
        ulong slide = Slide(plan, name, new(image.Address, image.MemorySize), header.Relocation);
        ulong address = unchecked(image.Address + slide);
        plan.Add("multiboot kernel", address, image.Data, image.MemorySize);
        return new(
            unchecked(entry + slide), address, address + image.MemorySize, slide, "addresses in the header");
    }

    /// <summary>
    /// How far from its linked address a kernel goes, modulo 2^64: 0 for one that does not say where else it may be, and for
    /// one that prefers no place and may stay. Below 1 MiB only if it fits nowhere else.
    /// </summary>
    /// <exception cref="BadInputException">No RAM where it may be.</exception>
    private static ulong Slide(LoadPlan plan, string name, GuestRange linked, Multiboot2Relocation? relocation)
    {
        if (relocation is not { } to)
            return 0;
        bool mayStay = linked.Start >= to.Minimum && linked.End - 1 <= to.Maximum && linked.Start % to.Alignment == 0
            && plan.Memory.Reports(linked, E820Type.Ram);
        if (mayStay && to.Preference is not (Multiboot2Preference.Low or Multiboot2Preference.High))
            return 0;

        ulong limit = (ulong)to.Maximum + 1;
        ulong high = Math.Max(to.Minimum, MemoryLayout.HighMemory);
        ulong? address = to.Preference == Multiboot2Preference.High
            ? plan.HighestFree(linked.Length, to.Alignment, high, limit)
            : plan.LowestFree(linked.Length, to.Alignment, high, limit);
        address ??= plan.LowestFree(
            linked.Length, to.Alignment, Math.Max(to.Minimum, MemoryLayout.BiosDataEnd), Math.Min(limit, MemoryLayout.HighMemory));
        return address is { } found
            ? unchecked(found - linked.Start)
            : throw new BadInputException($"{name}: 0x{linked.Length:x} bytes on a multiple of 0x{to.Alignment:x} do not fit in " +
                $"RAM from 0x{to.Minimum:x} to 0x{to.Maximum:x}, where the kernel lets itself be moved" +
                $"{plan.MemoryAdvice(high + linked.Length)}");
    }

    private readonly record struct Placement(ulong Entry, ulong Base, ulong End, ulong Slide, string Kind);
}
