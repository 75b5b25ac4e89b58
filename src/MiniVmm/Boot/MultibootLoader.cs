using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// Multiboot 1 kernels, in ELF files of either class or with load addresses in their header (Multiboot 0.6.96).
/// Entered in 32-bit protected mode with EAX = 0x2badb002 and EBX = the information structure.
/// </summary>
internal static class MultibootLoader
{
    private const uint LoaderMagic = 0x2bad_b002;
    private const ulong AddressLimit = 1UL << 32;

    /// <exception cref="BadInputException">A demand that cannot be met, or addresses that lie.</exception>
    public static BootImage Load(BootRequest request, MultibootHeader header)
    {
        string name = request.KernelName;
        if (header.Unmet is { } unmet)
            throw new BadInputException($"{name}: a multiboot kernel, but {unmet}");

        FramebufferInfo? framebuffer = null;
        if (header.Video is { IsText: false } wish)
        {
            FramebufferOffer offer = request.Framebuffer ?? throw new BadInputException(
                $"{name}: the multiboot header wants a video mode (flags bit 2), and this machine has no display");
            framebuffer = offer.Choose(wish.Width, wish.Height);
        }
        else if (request.Framebuffer is { IsAskedFor: true } asked && header.Video is null)
        {
            framebuffer = asked.Choose(0, 0);
        }

        LoadPlan plan = new(name, request.Memory);
        (ulong entry, ulong kernelEnd, string kind) = header.Addresses is { } addresses
            ? PlaceByAddresses(plan, request, header.Offset, addresses)
            : PlaceElf(plan, request);

        EntryTables tables = EntryTables.PlaceForMultiboot(plan, request, entry);
        List<PlacedModule> modules = PlacedModule.Place(
            plan, request, request.Initrds.Concat(request.Modules), Math.Max(kernelEnd, MemoryLayout.HighMemory));
        // QEMU's form of the line: the kernel's name as given, one blank, the text of --append. GRUB has the words alone.
        string line = request.IsFromLoader ? request.CommandLine : $"{name} {request.CommandLine}".TrimEnd();
        if (request.IsFromLoader)
            modules = [.. modules.Select(module => module with { File = new(module.File.Words) })];
        ulong info = MultibootInfo.Place(plan, name, line, modules, header.Video, framebuffer);
        EntryState state = tables.Entry with { Rax = LoaderMagic, Rbx = info };
        return (tables with { Entry = state }).Image(
            plan,
            $"multiboot 1, {kind}",
            [$"multiboot header at 0x{header.Offset:x}, flags 0x{header.Flags:x}; tried before PVH, as in QEMU"])
            with
        {
            Framebuffer = framebuffer,
        };
    }

    /// <summary>Without addresses in its header, the file is an ELF file.</summary>
    private static (ulong Entry, ulong End, string Kind) PlaceElf(LoadPlan plan, BootRequest request)
    {
        string name = request.KernelName;
        // QEMU refuses 64-bit files here. GRUB takes them, and so does this: the code at the entry is 32-bit all the
        // same.
        ElfFile elf = ElfFile.Parse(name, request.Kernel);
        ulong end = ElfKernel.Place(plan, name, elf);
        ulong entry = ElfKernel.PhysicalEntry(name, elf);
        if (entry >= AddressLimit)
        {
            throw new BadInputException(
                $"{name}: the entry point (e_entry) 0x{entry:x} is above 4 GiB, out of reach in 32-bit mode");
        }

        return (entry, end, elf.Is64 ? "ELF64, 32-bit entry" : "ELF32");
    }

    private static (ulong Entry, ulong End, string Kind) PlaceByAddresses(
        LoadPlan plan, BootRequest request, int headerOffset, in MultibootAddresses at)
    {
        string name = request.KernelName;
        MultibootImage image = MultibootImage.Find(name, "multiboot", request.Kernel, headerOffset, at);
        plan.Add("multiboot kernel", image.Address, image.Data, image.MemorySize);
        image.RequireLoaded(name, "multiboot entry_addr", at.EntryAddress);
        return (at.EntryAddress, image.Address + image.MemorySize, "addresses in the header");
    }
}
